import * as grpc from '@grpc/grpc-js';
import { type Caller, callerOf } from '../../src/rpc/caller.ts';

/** A call that came over a stream rather than over HTTP/2, as far as its interceptor and handler see it. */
export interface InterceptedCall {
  /** Whom its handler hears; undefined where it hears of none. */
  readonly caller: Caller | undefined;
  /** What its caller is told; undefined while it runs. */
  readonly status: Pick<grpc.StatusObject, 'code' | 'details'> | undefined;
  end(): void;
}

/** Has a call of `path` arrive at an interceptor. Its handler keeps it running. */
export function interceptedCall(interceptor: grpc.ServerInterceptor, path: string): InterceptedCall {
  let status: InterceptedCall['status'];
  let caller: Caller | undefined;
  let deliver: (metadata: grpc.Metadata) => void = () => {};
  const inner: grpc.ServerInterceptingCallInterface = {
    start: listener => {
      deliver = metadata => listener.onReceiveMetadata(metadata);
    },
    sendMetadata: () => {},
    sendMessage: (_message, callback) => callback(),
    sendStatus: ({ code, details }) => {
      status ??= { code: code ?? grpc.status.UNKNOWN, details: details ?? '' };
    },
    startRead: () => {},
    getPeer: () => '',
    getDeadline: () => Number.POSITIVE_INFINITY,
    getHost: () => '',
    getAuthContext: () => ({}),
    getConnectionInfo: () => ({}),
    getMetricsRecorder: () => {
      throw new Error('there is none');
    },
  };
  const bytes = { requestDeserialize: (value: Buffer) => value, responseSerialize: (value: Buffer) => value };
  const call = interceptor({ path, requestStream: false, responseStream: false, ...bytes }, inner);
  call.start({
    onReceiveMetadata: metadata => {
      caller = callerOf({ metadata });
    },
    onReceiveMessage: () => {},
    onReceiveHalfClose: () => {},
    onCancel: () => {},
  });
  deliver(new grpc.Metadata());
  return {
    get caller() {
      return caller;
    },
    get status() {
      return status;
    },
    end: () => call.sendStatus({ code: grpc.status.OK, details: '' }),
  };
}
