import type * as grpc from '@grpc/grpc-js';
import type { Caller } from './caller.ts';
import type { Decision } from './decision.ts';

/** Who is at the other end of a peer stream, and what is asked of everything that comes over it, calls and messages. */
export interface StreamGuard {
  /**
   * As of now, under the credentials and lists of this moment. Undefined where the other end may call nothing over this
   * stream: what it sends is declined. The same object for as long as nothing changed.
   */
  caller(): Caller | undefined;
  /**
   * Whether the caller may send a message of this kind, as for a call of `/selvedge.message/KIND`; counted and audited.
   * Cheap enough for every message; kinds that a peer makes up are not remembered for long.
   */
  decide(caller: Caller, kind: string): Decision;
  /** For each call: authenticates, authorizes, counts, audits, and cuts it when the caller loses its place here. */
  readonly interceptor: grpc.ServerInterceptor;
}
