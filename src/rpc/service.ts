import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { type Caller, callerOf } from './caller.ts';
import { statusOf } from './status.ts';

/** Names of the unary methods of a service with their request and response types. */
export type UnaryMethods = Record<string, { readonly request: object; readonly response: object }>;

/** A unary-only service whose message types the compiler knows. */
export interface UnaryService<Methods extends UnaryMethods> {
  readonly name: string;
  readonly definition: grpc.ServiceDefinition;
  /** Never set; carries the types. */
  readonly methods?: Methods;
}

const PROTO_DIRECTORY = fileURLToPath(new URL('../../proto', import.meta.url));

/**
 * Proto files of the package. Field names in camelCase, defaults filled in.
 * @param longs what 64-bit numbers become: `String` where they may be greater than `Number.MAX_SAFE_INTEGER`. Default `Number`.
 */
export function loadProtos(files: string[], longs: NumberConstructor | StringConstructor = Number): PackageDefinition {
  return loadSync(files, {
    includeDirs: [PROTO_DIRECTORY],
    longs,
    enums: String,
    defaults: true,
    oneofs: true,
  });
}

/** What a node serves, loaded once. */
export const packageDefinition: PackageDefinition = loadProtos([
  'selvedge/control/v1/control.proto',
  'selvedge/fabric/v1/fabric.proto',
]);

/** The definition of one of our services. @throws TypeError for a name that our proto files do not have. */
export function serviceDefinition(name: string): grpc.ServiceDefinition {
  return serviceIn(packageDefinition, name);
}

/** As {@link serviceDefinition}, of any proto files. */
export function serviceIn(definitions: PackageDefinition, name: string): grpc.ServiceDefinition {
  const found = definitions[name];
  if (found === undefined || 'format' in found) throw new TypeError(`no such service: ${name}`);
  return found as grpc.ServiceDefinition;
}

export type UnaryHandlers<Methods extends UnaryMethods> = {
  readonly [Name in keyof Methods]: (
    request: Methods[Name]['request'],
    caller: Caller,
    signal: AbortSignal,
  ) => Promise<Methods[Name]['response']> | Methods[Name]['response'];
};

/** Turns async functions into what `Server.addService` takes; what they throw becomes a gRPC status. */
export function implementUnary<Methods extends UnaryMethods>(
  service: UnaryService<Methods>,
  handlers: UnaryHandlers<Methods>,
): grpc.UntypedServiceImplementation {
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const method of Object.keys(service.definition)) {
    const handler = handlers[method];
    if (handler === undefined) throw new TypeError(`${service.name}/${method} has no handler`);
    const handle: grpc.handleUnaryCall<object, object> = async (call, reply) => {
      const abort = new AbortController();
      call.on('cancelled', () => abort.abort());
      try {
        reply(null, await handler(call.request, callerOf(call), abort.signal));
      } catch (error) {
        reply(statusOf(error));
      }
    };
    implementation[method] = handle;
  }
  return implementation;
}

export interface CallUnaryOptions {
  /** Milliseconds from now. Default 10,000. */
  readonly timeoutMs?: number;
  readonly metadata?: grpc.Metadata;
  readonly signal?: AbortSignal;
}

/** Calls one unary method. @throws grpc.ServiceError as grpc-js gives it. */
export function callUnary<Methods extends UnaryMethods, Name extends keyof Methods & string>(
  client: grpc.Client,
  service: UnaryService<Methods>,
  method: Name,
  request: Methods[Name]['request'],
  options: CallUnaryOptions = {},
): Promise<Methods[Name]['response']> {
  const definition = service.definition[method];
  if (definition === undefined) throw new TypeError(`${service.name} has no method ${method}`);
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<object, object>(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      options.metadata ?? new grpc.Metadata(),
      { deadline: Date.now() + (options.timeoutMs ?? 10_000) },
      (error, response) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error !== null) reject(error);
        else resolve(response as Methods[Name]['response']);
      },
    );
    const cancel = () => call.cancel();
    if (options.signal?.aborted === true) cancel();
    else options.signal?.addEventListener('abort', cancel, { once: true });
  });
}
