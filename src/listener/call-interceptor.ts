import * as grpc from '@grpc/grpc-js';
import { bindCaller, type Caller } from '../rpc/caller.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AuthorizeCall } from './listener-policy.ts';

/** The running calls of one connection, each as the function that ends it with UNAVAILABLE and a text. */
export interface CallCounter {
  readonly active: Set<(detail: string) => void>;
}

/**
 * Calls that somebody without a certificate may have open on a TLS connection: enough for health checks, too few to
 * fill the memory with requests that never end.
 */
const MAX_STRANGER_CALLS = 10;

/**
 * The interceptor of one connection: every call learns its caller, is authorized, counted, and can be cut. The denial
 * says only that it was denied.
 */
export function callInterceptor(
  caller: Caller,
  authorize: AuthorizeCall,
  calls: CallCounter,
  metrics: Metrics,
): grpc.ServerInterceptor {
  return (method, call) => {
    const startedAt = performance.now();
    const service = method.path.slice(1, method.path.lastIndexOf('/'));
    const cut = (details: string) => {
      finish(grpc.status.UNAVAILABLE);
      call.sendStatus({ code: grpc.status.UNAVAILABLE, details });
    };
    const finish = (code: grpc.status) => {
      if (!calls.active.delete(cut)) return;
      const labels = { grpc_method: method.path.slice(1), grpc_status: grpc.status[code] };
      metrics.serverCallDuration.observe(labels, (performance.now() - startedAt) / 1_000);
    };
    metrics.serverCallsStarted.inc({ grpc_method: method.path.slice(1) });
    const isOverCap = isStranger(caller) && calls.active.size >= MAX_STRANGER_CALLS;
    calls.active.add(cut);
    return new grpc.ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMetadata: (metadata, forward) => {
            if (isOverCap) {
              finish(grpc.status.RESOURCE_EXHAUSTED);
              call.sendStatus({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'too many calls at a time' });
              return;
            }
            if (!authorize(caller, method.path)) {
              metrics.authorizationDecisions.inc({ service, decision: 'deny' });
              finish(grpc.status.PERMISSION_DENIED);
              call.sendStatus({ code: grpc.status.PERMISSION_DENIED, details: 'permission denied' });
              return;
            }
            metrics.authorizationDecisions.inc({ service, decision: 'allow' });
            bindCaller(metadata, caller);
            forward(metadata);
          },
          onCancel: () => finish(grpc.status.CANCELLED),
        }),
      sendStatus: (status, next) => {
        finish(status.code ?? grpc.status.UNKNOWN);
        next(status);
      },
    });
  };
}

function isStranger({ identity, security }: Caller): boolean {
  return identity === undefined && security.kind === 'tls';
}
