import type * as grpc from '@grpc/grpc-js';
import { echoDefinition } from './echo-service.ts';
import { until } from './until.ts';

/** A stream that goes on until it is ended. */
export interface Chat {
  readonly call: grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly ended: Promise<grpc.StatusObject>;
  /** Undefined while it goes on. */
  readonly status: grpc.StatusObject | undefined;
  /** Resolves when the server has sent it back. */
  says(text: string): Promise<void>;
}

/** Opens a stream of the echo service. */
export function openChat(client: grpc.Client): Chat {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Chat;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const heard: string[] = [];
  let status: grpc.StatusObject | undefined;
  call.on('data', (reply: Buffer) => heard.push(reply.toString()));
  call.on('error', () => {});
  const ended = new Promise<grpc.StatusObject>(resolve =>
    call.once('status', seen => {
      status = seen;
      resolve(seen);
    }),
  );
  const says = async (text: string) => {
    const before = heard.length;
    call.write(Buffer.from(text));
    await until(`${text} comes back`, () => heard.length > before);
  };
  return {
    call,
    ended,
    says,
    get status() {
      return status;
    },
  };
}
