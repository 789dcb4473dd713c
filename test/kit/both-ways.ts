import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { CallServer } from '../../src/calls/call-server.ts';
import { streamedCalls } from '../../src/calls/streamed-calls.ts';
import { UnaryChannel } from '../../src/calls/unary-channel.ts';
import type { RequestRoute } from '../../src/exchange/request-route.ts';
import { type CallInterceptorParts, callInterceptor } from '../../src/listener/call-interceptor.ts';
import type { StreamGuard } from '../../src/rpc/stream-guard.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { callerWith } from './call-as.ts';
import { exchangePair } from './exchange-pair.ts';
import { listen } from './loopback-node.ts';
import { servedDefinition, TypedClient, type TypedHandler, TypedService } from './typed-service.ts';

export const MAX_REQUEST_BYTES = 2_000_000;
export const MAX_REPLY_BYTES = 3_000_000;

export interface BothWays {
  /** Its calls go over HTTP/2 to a grpc-js server. */
  readonly ordinary: TypedClient;
  /** Its unary calls go over a peer stream in memory, and what that does not take to the same grpc-js server. */
  readonly streamed: TypedClient;
  /** How many requests the stream took. */
  readonly wentStreamed: () => number;
  /** How many calls were made over HTTP/2 for the streamed client. */
  readonly wentOrdinary: () => number;
}

/** One service behind one guard, served over HTTP/2 and over a stream; all of it ends with the test. */
export async function openBothWays(
  t: TestContext,
  say: TypedHandler,
  guardParts: Partial<CallInterceptorParts> = {},
): Promise<BothWays> {
  const caller = callerWith('peer');
  const metrics = createMetrics();
  const interceptor = callInterceptor({
    admitted: () => caller,
    caller: () => caller,
    authorize: () => ({ allowed: true, policy: 'test', rule: '' }),
    failed: (_path, error) => {
      throw error;
    },
    calls: { active: new Set() },
    metrics,
    ...guardParts,
  });
  const guard: StreamGuard = {
    caller: () => caller,
    decide: () => ({ allowed: true, policy: 'test', rule: '' }),
    interceptor,
  };
  const service = new TypedService(say);
  const implementation = service as unknown as grpc.UntypedServiceImplementation;
  const server = new grpc.Server({
    interceptors: [interceptor],
    'grpc.max_receive_message_length': MAX_REPLY_BYTES,
    'grpc.max_send_message_length': MAX_REPLY_BYTES,
  });
  server.addService(servedDefinition, implementation);
  const target = `127.0.0.1:${await listen(server)}`;
  const insecure = grpc.credentials.createInsecure();
  const limits = { 'grpc.max_receive_message_length': MAX_REPLY_BYTES, 'grpc.enable_retries': 0 };
  const ordinary = new TypedClient(target, insecure, limits);
  const calls = new CallServer([{ definition: servedDefinition, implementation }], {
    host: target,
    maxReplyBytes: MAX_REPLY_BYTES,
  });
  const { a, connect } = exchangePair({ b: request => calls.serve(request, guard) });
  connect();
  let wentStreamed = 0;
  const route: RequestRoute = {
    tryRequest: (...args) => {
      const underway = a.tryRequest(...args);
      if (underway !== undefined) wentStreamed += 1;
      return underway;
    },
  };
  let wentOrdinary = 0;
  const real = new grpc.Channel(target, insecure, limits);
  const counting: grpc.ChannelInterface = {
    close: () => real.close(),
    getTarget: () => real.getTarget(),
    getConnectivityState: tryToConnect => real.getConnectivityState(tryToConnect),
    watchConnectivityState: (...args) => real.watchConnectivityState(...args),
    getChannelzRef: () => real.getChannelzRef(),
    createCall: (...args) => {
      wentOrdinary += 1;
      return real.createCall(...args);
    },
  };
  const channel = new UnaryChannel({
    name: 'node-2',
    route,
    channel: counting,
    calls: metrics.clientCalls,
    maxRequestBytes: MAX_REQUEST_BYTES,
    maxReplyBytes: MAX_REPLY_BYTES,
  });
  const options: Record<string, unknown> = {
    channelOverride: counting,
    callInvocationTransformer: streamedCalls(() => channel),
  };
  const streamed = new TypedClient(target, insecure, options);
  t.after(() => {
    ordinary.close();
    streamed.close();
    server.forceShutdown();
  });
  return { ordinary, streamed, wentStreamed: () => wentStreamed, wentOrdinary: () => wentOrdinary };
}
