import * as grpc from '@grpc/grpc-js';
import type { CallRules } from '../listener/listener-policy.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { messagePath } from '../rpc/message-path.ts';
import type { MethodCalls } from '../telemetry/call-metrics.ts';

export interface MessageDecisionsParts {
  readonly rules: CallRules;
  /** Of messages of all kinds. */
  readonly counted: Pick<MethodCalls, 'allowed' | 'denied'>;
  /** Told of what went wrong while it was decided. */
  readonly failed: (path: string, error: unknown) => void;
}

interface Known {
  readonly path: string;
  readonly decision: Decision;
}

/** What a message has in place of the metadata of a call. */
const NO_METADATA = new grpc.Metadata();
const NOT_DECIDED: Decision = { allowed: false, policy: 'built-in', rule: '' };
const MAX_KINDS = 256;

/**
 * Decides on the messages that come over one connection as on calls of the method `/selvedge.message/KIND`.
 *
 * D1. A decision is remembered for as long as caller and rules are the same objects, and no longer.
 * D2. Everyone who is told of decisions on calls is told of each of these, save for whom an allowed one is no news.
 * D3. Who cannot decide lets nobody through.
 */
export class MessageDecisions {
  readonly #parts: MessageDecisionsParts;
  readonly #known = new Map<string, Known>();
  #caller: Caller | undefined;
  #authorize: CallRules['authorize']['value'] | undefined;

  constructor(parts: MessageDecisionsParts) {
    this.#parts = parts;
  }

  decide(caller: Caller, kind: string): Decision {
    try {
      const { rules, counted } = this.#parts;
      const { path, decision } = this.#lacking(caller, kind) ?? this.#decided(caller, kind);
      if (decision.allowed) counted.allowed += 1;
      else counted.denied += 1;
      if (!decision.allowed || rules.hearsAllowed?.() !== false) rules.decided?.(caller, path, decision, NO_METADATA);
      return decision;
    } catch (error) {
      this.#parts.failed(messagePath(kind), error);
      return NOT_DECIDED;
    }
  }

  /** A certificate may be asked for that was not when the stream was opened. Not remembered: settings say so, not rules. */
  #lacking(caller: Caller, kind: string): Known | undefined {
    const { authenticate } = this.#parts.rules;
    if (authenticate === undefined || caller.identity !== undefined) return undefined;
    const path = messagePath(kind);
    const found = authenticate(caller, path, NO_METADATA);
    if (found instanceof Promise) throw new TypeError('who sends a message is known at once');
    return 'allowed' in found ? { path, decision: found } : undefined;
  }

  #decided(caller: Caller, kind: string): Known {
    const authorize = this.#parts.rules.authorize.value;
    if (caller !== this.#caller || authorize !== this.#authorize || this.#known.size >= MAX_KINDS) {
      this.#known.clear();
      this.#caller = caller;
      this.#authorize = authorize;
    }
    const known = this.#known.get(kind);
    if (known !== undefined) return known;
    const path = messagePath(kind);
    const decided = { path, decision: authorize(caller, path, NO_METADATA) };
    this.#known.set(kind, decided);
    return decided;
  }
}
