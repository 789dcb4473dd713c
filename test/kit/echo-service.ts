import type * as grpc from '@grpc/grpc-js';
import { callerOf } from '../../src/rpc/caller.ts';

type BytesMethod = grpc.MethodDefinition<Buffer, Buffer>;

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};

/** Echo over raw bytes, one method of each streaming kind that the tests need. */
export const echoDefinition: Readonly<Record<'Echo' | 'WhoAmI' | 'Chat' | 'Count', BytesMethod>> = {
  Echo: { path: '/test.Echo/Echo', requestStream: false, responseStream: false, ...bytes },
  /** Answers who the caller is, as JSON. */
  WhoAmI: { path: '/test.Echo/WhoAmI', requestStream: false, responseStream: false, ...bytes },
  /** Sends back what comes until the client ends. */
  Chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...bytes },
  /** Answers as many messages as the request says, one a turn of the event loop. */
  Count: { path: '/test.Echo/Count', requestStream: false, responseStream: true, ...bytes },
};

export const echoImplementation: grpc.UntypedServiceImplementation = {
  Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => reply(null, call.request),
  WhoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
    const { identity, roles, security } = callerOf(call);
    reply(
      null,
      Buffer.from(JSON.stringify({ uris: identity?.uris ?? [], roles: [...roles], security: security.kind })),
    );
  },
  Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
    call.on('error', () => {});
  },
  Count: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
    let left = Number(call.request.toString());
    const send = () => {
      if (left === 0 || call.cancelled) return call.end();
      left -= 1;
      call.write(Buffer.from(String(left)));
      setImmediate(send);
    };
    send();
  },
};

export function echo(client: grpc.Client, text: string, timeoutMs = 20_000): Promise<string> {
  return unary(client, echoDefinition.Echo, text, timeoutMs);
}

export async function whoAmI(client: grpc.Client): Promise<{ uris: string[]; roles: string[]; security: string }> {
  return JSON.parse(await unary(client, echoDefinition.WhoAmI, '', 20_000));
}

function unary(client: grpc.Client, method: BytesMethod, text: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      Buffer.from(text),
      { deadline: Date.now() + timeoutMs },
      (error, reply) => {
        if (error !== null) reject(error);
        else resolve((reply ?? Buffer.alloc(0)).toString());
      },
    );
  });
}
