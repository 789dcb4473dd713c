import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { TcpAddress } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Security } from '../rpc/security.ts';
import { failureInWords } from '../rpc/status.ts';
import {
  type ChannelSecurity,
  type DialledFacts,
  FABRIC_CHANNEL_OPTIONS,
  FabricChannelCredentials,
  grpcTargetOf,
} from './fabric-channel-credentials.ts';

export interface SingleCallOptions {
  /** For the dial and the call together, in milliseconds. */
  readonly timeoutMs: number;
  /** Most that is read of a response. */
  readonly maxResponseBytes: number;
  readonly signal: AbortSignal;
}

export interface SingleAnswer<Response> {
  readonly response: Response;
  /** What protected the one connection there was. */
  readonly security: Security;
  /** Of the verified server; undefined without TLS. */
  readonly identity: PeerIdentity | undefined;
}

/**
 * Dials an address once, makes one unary call over that connection, and ends it.
 * @throws refused by either side, as the dial says; else an Error in words for people.
 */
export async function callOnce<Request, Response>(
  address: TcpAddress,
  security: ChannelSecurity,
  method: grpc.MethodDefinition<Request, Response>,
  request: Request,
  options: SingleCallOptions,
): Promise<SingleAnswer<Response>> {
  const { timeoutMs, maxResponseBytes, signal } = options;
  const sockets: Socket[] = [];
  const dialled: Pick<DialledFacts, 'security' | 'identity'>[] = [];
  let isOver = false;
  let failure: unknown;
  const credentials = new FabricChannelCredentials({
    security,
    timeoutMs,
    listener: {
      connecting: socket => {
        sockets.push(socket);
        // grpc-js does not call off the attempt of a channel that was closed.
        if (isOver) socket.destroy();
      },
      connected: (_socket, facts) => {
        // Who answers is to be who was judged.
        if (dialled.length > 0) throw new Error('one connection was asked for');
        dialled.push(facts);
      },
      failed: error => {
        failure ??= error;
      },
    },
  });
  const channel = new grpc.Channel(grpcTargetOf(address), credentials, {
    ...FABRIC_CHANNEL_OPTIONS,
    'grpc.max_receive_message_length': maxResponseBytes,
  });
  try {
    const response = await unaryCall(channel, method, request, timeoutMs, signal).catch(error => {
      throw failure ?? new Error(failureInWords(error));
    });
    const [connection] = dialled;
    if (connection === undefined) throw new TypeError('answered without a connection');
    return { response, security: connection.security, identity: connection.identity };
  } finally {
    isOver = true;
    channel.close();
    for (const socket of sockets) socket.destroy();
  }
}

function unaryCall<Request, Response>(
  channel: grpc.Channel,
  { path, requestSerialize, responseDeserialize }: grpc.MethodDefinition<Request, Response>,
  request: Request,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Response> {
  // The credentials are those of the channel; these are never used.
  const client = new grpc.Client('', grpc.credentials.createInsecure(), { channelOverride: channel });
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new grpc.Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal.removeEventListener('abort', cancel);
        if (response === undefined) reject(error);
        else resolve(response);
      },
    );
    const cancel = () => call.cancel();
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  });
}
