import type * as grpc from '@grpc/grpc-js';

const same = (bytes: Buffer) => bytes;

/** A unary echo of raw bytes, so that no time goes into protobuf. */
export const echoDefinition: Readonly<Record<'Echo', grpc.MethodDefinition<Buffer, Buffer>>> = {
  Echo: {
    path: '/bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

export const echoImplementation: grpc.UntypedServiceImplementation = {
  Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => reply(null, call.request),
};

/** What is said where nothing else is asked for. */
export const PAYLOAD: Buffer = Buffer.alloc(128, 'x');

/** One call with `payload` each way, 128 bytes by default. Rejects when it fails, after 30 s at the latest. */
export function echo(client: grpc.Client, payload: Buffer = PAYLOAD): Promise<void> {
  const options = { deadline: Date.now() + 30_000 };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(echoDefinition.Echo.path, same, same, payload, options, (error, reply) => {
      if (error !== null) reject(error);
      else if (reply?.length !== payload.length) reject(new Error('the echo is not what was said'));
      else resolve();
    });
  });
}
