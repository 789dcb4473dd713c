import { AsyncResource } from 'node:async_hooks';
import type { IncomingRequest } from '../exchange/incoming-request.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { type CallServerOptions, IncomingCall } from './incoming-call.ts';
import { type Service, type UnaryMethod, unaryMethodsOf } from './unary-method.ts';
import { UnaryRun } from './unary-run.ts';

/** Serves the unary calls that come over peer streams, with the handlers that serve them over HTTP/2 too. */
export class CallServer {
  readonly #methods: ReadonlyMap<string, UnaryMethod>;
  readonly #options: CallServerOptions;
  /** What handlers run in: not whatever the stream was dialled in, or the call before came from. */
  readonly #scope = new AsyncResource('SelvedgeCallServer');

  constructor(services: readonly Service[], options: CallServerOptions) {
    this.#methods = unaryMethodsOf(services);
    this.#options = options;
  }

  /**
   * Serves one call; its caller, its authorization and its metrics are the guard's. What is not served here is
   * `declined`, and comes back the ordinary way: methods that are not known or not unary, and callers that may call
   * nothing over this stream. Never throws.
   */
  serve(request: IncomingRequest, guard: StreamGuard): void {
    this.#scope.runInAsyncScope(this.#serve, this, request, guard);
  }

  #serve(request: IncomingRequest, guard: StreamGuard): void {
    try {
      const method = this.#methods.get(request.name);
      const caller = method === undefined ? undefined : guard.caller();
      if (method === undefined || caller === undefined) return request.fail('declined');
      const { descriptor } = method;
      const call = new IncomingCall(request, descriptor, caller.remoteAddress, this.#options);
      const guarded = guard.interceptor(descriptor, call);
      guarded.start(new UnaryRun(guarded, method));
    } catch {
      request.fail('handler_failed');
    }
  }
}
