import * as grpc from '@grpc/grpc-js';
import type { EndReason } from '../errors/refusal-reason.ts';
import { bindCaller, type Caller } from '../rpc/caller.ts';
import { reasonMetadata } from '../rpc/status.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Standing } from './connection-standing.ts';
import type { AuthorizeCall } from './listener-policy.ts';

/** A running call of one connection. */
export interface ActiveCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Ends it with UNAVAILABLE; `reason` is a refusal or close reason code. */
  cut(details: string, reason: EndReason): void;
}

/** The running calls of one connection. */
export interface CallCounter {
  readonly active: Set<ActiveCall>;
}

export interface CallInterceptorParts {
  /** Asked when a call arrives: who calls, or why nobody may any more. */
  readonly caller: () => Caller | Extract<Standing, { admitted: false }>;
  readonly authorize: AuthorizeCall;
  readonly calls: CallCounter;
  readonly metrics: Metrics;
}

/**
 * Calls that somebody without a certificate may have open on a TLS connection: enough for health checks, too few to
 * fill the memory with requests that never end.
 */
const MAX_STRANGER_CALLS = 10;

type Status = Parameters<grpc.ServerInterceptingCall['sendStatus']>[0];

/**
 * The interceptor of one connection: every call learns its caller, is authorized, counted, and can be cut. The denial
 * says only that it was denied.
 */
export function callInterceptor({ caller, authorize, calls, metrics }: CallInterceptorParts): grpc.ServerInterceptor {
  return (method, call) => {
    const startedAt = performance.now();
    const { path } = method;
    const service = path.slice(1, path.lastIndexOf('/'));
    const active: ActiveCall = {
      path,
      cut: (details, reason) => end(grpc.status.UNAVAILABLE, details, reason),
    };
    const end = (code: grpc.status, details: string, reason?: EndReason) => {
      finish(code);
      call.sendStatus(statusWith(code, details, reason));
    };
    const finish = (code: grpc.status) => {
      if (!calls.active.delete(active)) return;
      const labels = { grpc_method: path.slice(1), grpc_status: grpc.status[code] };
      metrics.serverCallDuration.observe(labels, (performance.now() - startedAt) / 1_000);
    };
    const deny = (code: grpc.status, details: string, reason?: EndReason) => {
      metrics.authorizationDecisions.inc({ service, decision: 'deny' });
      end(code, details, reason);
    };
    metrics.serverCallsStarted.inc({ grpc_method: path.slice(1) });
    const othersActive = calls.active.size;
    calls.active.add(active);
    return new grpc.ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMetadata: (metadata, forward) => {
            const who = caller();
            if ('admitted' in who) {
              const code = who.unauthenticated ? grpc.status.UNAUTHENTICATED : grpc.status.PERMISSION_DENIED;
              return deny(code, `connection refused: ${who.reason}`, who.reason);
            }
            if (isStranger(who) && othersActive >= MAX_STRANGER_CALLS)
              return end(grpc.status.RESOURCE_EXHAUSTED, 'too many calls at a time');
            if (!authorize(who, path)) return deny(grpc.status.PERMISSION_DENIED, 'permission denied');
            metrics.authorizationDecisions.inc({ service, decision: 'allow' });
            bindCaller(metadata, who);
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

function statusWith(code: grpc.status, details: string, reason: EndReason | undefined): Status {
  return reason === undefined ? { code, details } : { code, details, metadata: reasonMetadata(reason) };
}

function isStranger({ identity, security }: Caller): boolean {
  return identity === undefined && security.kind === 'tls';
}
