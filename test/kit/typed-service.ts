import * as grpc from '@grpc/grpc-js';
import { callerOf } from '../../src/rpc/caller.ts';

/** A message of the typed service: JSON, so that anything can be asked of a handler, with bytes of any size beside it. */
export interface TypedMessage {
  readonly text?: string;
  readonly bytes?: Buffer;
  /** Makes the serializer or the deserializer of a side throw. */
  readonly breaks?: 'request serialize' | 'request deserialize' | 'response serialize' | 'response deserialize';
}

const toBytes =
  (step: TypedMessage['breaks']) =>
  (message: TypedMessage): Buffer => {
    if (message.breaks === step) throw new Error(`cannot ${step}`);
    return Buffer.from(JSON.stringify({ ...message, bytes: message.bytes?.toString('base64') }));
  };

const fromBytes =
  (step: TypedMessage['breaks']) =>
  (bytes: Buffer): TypedMessage => {
    const { bytes: base64, ...message } = JSON.parse(bytes.toString());
    if (message.breaks === step) throw new Error(`cannot ${step}`);
    return base64 === undefined ? message : { ...message, bytes: Buffer.from(base64, 'base64') };
  };

const codecs = {
  requestSerialize: toBytes('request serialize'),
  requestDeserialize: fromBytes('request deserialize'),
  responseSerialize: toBytes('response serialize'),
  responseDeserialize: fromBytes('response deserialize'),
};

type TypedMethod = grpc.MethodDefinition<TypedMessage, TypedMessage> & { originalName?: string };

const unary = (name: string): TypedMethod => ({
  path: `/test.Typed/${name}`,
  requestStream: false,
  responseStream: false,
  originalName: name.charAt(0).toLowerCase() + name.slice(1),
  ...codecs,
});

type Methods = 'Say' | 'Answer' | 'Missing' | 'Stream';

/** As generated code has it: names of methods in upper case, of handlers in either. */
export const typedDefinition: Readonly<Record<Methods, TypedMethod>> = {
  Say: unary('Say'),
  Answer: unary('Answer'),
  Missing: unary('Missing'),
  Stream: { ...unary('Stream'), responseStream: true },
};

const { Missing: _, ...served } = typedDefinition;

/** What is served of it: all but what is missing. */
export const servedDefinition: Readonly<Record<Exclude<Methods, 'Missing'>, TypedMethod>> = served;

export type TypedCall = grpc.ServerUnaryCall<TypedMessage, TypedMessage>;
export type TypedReply = grpc.sendUnaryData<TypedMessage>;
export type TypedHandler = (call: TypedCall, reply: TypedReply) => void;

/** A class with state, to see that handlers keep their `this`. `Say` is what a test wants it to be. */
export class TypedService {
  readonly #greeting = 'hello';
  say: TypedHandler;

  constructor(say: TypedHandler) {
    this.say = say;
  }

  answer(call: TypedCall, reply: TypedReply): void {
    reply(null, { text: `${this.#greeting} ${call.request.text} from ${callerOf(call).remoteAddress}` });
  }

  stream(call: grpc.ServerWritableStream<TypedMessage, TypedMessage>): void {
    call.write({ text: `${call.request.text} 1` });
    call.write({ text: `${call.request.text} 2` });
    call.end();
  }
}

type UnaryStub = (
  request: TypedMessage,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: grpc.requestCallback<TypedMessage>,
) => grpc.ClientUnaryCall;

/** As generated code has it. */
export interface TypedClient extends grpc.Client {
  say: UnaryStub;
  answer: UnaryStub;
  missing: UnaryStub;
  Stream(request: TypedMessage): grpc.ClientReadableStream<TypedMessage>;
}

export const TypedClient = grpc.makeClientConstructor(typedDefinition, 'test.Typed') as unknown as new (
  ...args: ConstructorParameters<typeof grpc.Client>
) => TypedClient;
