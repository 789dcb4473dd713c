import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { BeliefPolicy } from './member-directory.ts';
import { type TlsMemory, wouldDowngrade } from './tls-memory.ts';

export interface ProvenNamesParts {
  readonly memory: ObservableValue<TlsMemory>;
  readonly policy: ObservableValue<Pick<BeliefPolicy, 'mode'>>;
  /** Whether a step down from TLS is refused, as of now. Where it is not, a name may go back to plaintext, whoever says so. */
  readonly refusesDowngrade: () => boolean;
  /** Called when there may be other ones because of the memory. */
  readonly remembered: () => void;
}

/**
 * The names that nobody gets by word alone where a step down is refused, since a certificate proved them: in this process, or over mutual TLS as the
 * memory has it. A name of which the memory permits a step down is free again, and in `plain` every one is.
 */
export class ProvenNames {
  readonly #parts: ProvenNamesParts;
  readonly #seen = new Set<string>();
  readonly #stops: readonly (() => void)[];

  constructor(parts: ProvenNamesParts) {
    this.#parts = parts;
    this.#stops = [
      parts.memory.subscribe((next, previous) => {
        for (const name of previous.keys())
          if (wouldDowngrade(previous, name) && !wouldDowngrade(next, name)) this.#seen.delete(name);
        parts.remembered();
      }),
      parts.policy.subscribe(({ mode }) => {
        if (mode === 'plain') this.#seen.clear();
      }),
    ];
  }

  add(name: string): void {
    this.#seen.add(name);
  }

  has(name: string): boolean {
    const { memory, policy, refusesDowngrade } = this.#parts;
    return (
      policy.value.mode !== 'plain' &&
      refusesDowngrade() &&
      (this.#seen.has(name) || wouldDowngrade(memory.value, name))
    );
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }
}
