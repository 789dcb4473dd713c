import type { Decision } from '../rpc/decision.ts';

/** A call on which the policy that is tried out would have decided otherwise. */
export interface Divergence {
  /** See `principalOf`. */
  readonly principal: string;
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly decision: 'would_deny' | 'would_allow';
  /** Of the shadow policy, or of the built-in table; empty where none matched. */
  readonly rule: string;
}

/** All calls that diverged in the same way. */
export interface DivergenceCount extends Divergence {
  readonly count: number;
  /** Unix milliseconds. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** Different entries that are kept. */
const MAX_ENTRIES = 1_000;
/** UTF-16 units of a principal that are kept. */
const MAX_PRINCIPAL = 256;

/**
 * What a shadow policy would have changed since it is watched. Bounded: a divergence that is new when all entries are
 * taken is counted as `overflow`, and in the totals.
 */
export class ShadowReport {
  /** Unix milliseconds. */
  readonly sinceMs: number;
  #calls = 0;
  #overflow = 0;
  readonly #totals = { would_deny: 0, would_allow: 0 };
  readonly #entries = new Map<string, { -readonly [Key in keyof DivergenceCount]: DivergenceCount[Key] }>();

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  /** Calls that were judged by both policies. */
  get calls(): number {
    return this.#calls;
  }

  get overflow(): number {
    return this.#overflow;
  }

  get wouldDeny(): number {
    return this.#totals.would_deny;
  }

  get wouldAllow(): number {
    return this.#totals.would_allow;
  }

  /** The most frequent first. */
  get entries(): readonly DivergenceCount[] {
    return [...this.#entries.values()].map(entry => ({ ...entry })).toSorted((a, b) => b.count - a.count);
  }

  /** A call was judged by both. @param divergence undefined: alike. */
  count(divergence: Divergence | undefined, nowMs: number): void {
    this.#calls += 1;
    if (divergence === undefined) return;
    this.#totals[divergence.decision] += 1;
    const principal = divergence.principal.slice(0, MAX_PRINCIPAL);
    const key = JSON.stringify([principal, divergence.method, divergence.decision, divergence.rule]);
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.count += 1;
      entry.lastAtMs = nowMs;
    } else if (this.#entries.size < MAX_ENTRIES) {
      this.#entries.set(key, { ...divergence, principal, count: 1, firstAtMs: nowMs, lastAtMs: nowMs });
    } else {
      this.#overflow += 1;
    }
  }
}

/** How a shadow policy differs on a call; undefined where it decides the same. */
export function divergenceOf(enforced: Decision, shadow: Decision): Divergence['decision'] | undefined {
  if (enforced.allowed === shadow.allowed) return undefined;
  return enforced.allowed ? 'would_deny' : 'would_allow';
}
