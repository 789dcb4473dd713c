import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** What a server answers to one reflection request; the field that was asked for is there. */
export interface ReflectionResponse {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorMessage: string };
}

type ReflectionRequest =
  | { readonly listServices: string }
  | { readonly fileContainingSymbol: string }
  | { readonly fileByFilename: string };

const SERVICE = 'grpc.reflection.v1.ServerReflection';

/** One stream of `grpc.reflection.v1`, as a client has it that knows nothing else. It stays open until it is ended. */
export class ReflectionClient implements Disposable {
  readonly #call: grpc.ClientDuplexStream<object, object>;
  readonly #answers: AsyncIterator<ReflectionResponse>;
  readonly status: Promise<grpc.StatusObject>;

  constructor(client: grpc.Client) {
    const { path, requestSerialize, responseDeserialize } = infoMethod();
    this.#call = client.makeBidiStreamRequest<object, object>(path, requestSerialize, responseDeserialize);
    this.status = new Promise(resolve => this.#call.once('status', resolve));
    this.#call.on('error', () => {});
    this.#answers = this.#call[Symbol.asyncIterator]() as AsyncIterator<ReflectionResponse>;
  }

  async ask(request: ReflectionRequest): Promise<ReflectionResponse> {
    this.#call.write({ host: '', ...request });
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error('the reflection stream ended without an answer');
    return answer.value;
  }

  /** Ends the stream and resolves with its status code. */
  async end(): Promise<grpc.status> {
    this.#call.end();
    await this.#answers.next();
    return (await this.status).code;
  }

  [Symbol.dispose](): void {
    this.#call.cancel();
  }
}

function infoMethod(): grpc.MethodDefinition<object, object> {
  const method = reflectionMethods().find(({ path }) => path.startsWith(`/${SERVICE}/`));
  if (method === undefined) throw new TypeError('the reflection proto has no ServerReflectionInfo');
  return method;
}

/** The methods of both versions of reflection, which it does not list itself. */
export function reflectionMethods(): readonly grpc.MethodDefinition<object, object>[] {
  const entry = createRequire(import.meta.url).resolve('@grpc/reflection');
  return ['v1', 'v1alpha'].flatMap(version => {
    const file = join(dirname(entry), `../proto/grpc/reflection/${version}/reflection.proto`);
    const service = loadSync(file, { oneofs: true })[`grpc.reflection.${version}.ServerReflection`];
    return Object.values((service ?? {}) as grpc.ServiceDefinition);
  });
}
