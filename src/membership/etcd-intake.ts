import { PacedTurns } from '../lifecycle/paced-turns.ts';
import type { EtcdEvent } from '../rpc/etcd-answers.ts';
import type { EtcdEvents } from '../rpc/etcd-watch.ts';

export interface EtcdIntakeParts {
  /** Takings are at least this far apart, in milliseconds; the first is at once. */
  readonly everyMs: number;
  readonly isUrgent: (event: EtcdEvent) => boolean;
  readonly onTake: (events: EtcdEvents) => void;
  /** `onTake` threw. */
  readonly onError: (error: unknown) => void;
}

/**
 * Takes what happens in etcd together: of each key the newest, so that a node which writes its own record in a loop costs all
 * others no more than a few takings a second. What is urgent is taken at once, with all before it.
 */
export class EtcdIntake {
  readonly #parts: EtcdIntakeParts;
  readonly #turns: PacedTurns;
  #newest = new Map<string, EtcdEvent>();
  #last: EtcdEvents | undefined;

  constructor(parts: EtcdIntakeParts) {
    this.#parts = parts;
    this.#turns = new PacedTurns(parts.everyMs);
  }

  add(events: EtcdEvents): void {
    for (const event of events.events) this.#newest.set(event.key, event);
    this.#last = events;
    if (events.events.some(this.#parts.isUrgent)) this.#take();
    else this.#turns.add('take', () => this.#take());
  }

  /** Everything was read anew: what waits is part of that. */
  clear(): void {
    this.#newest = new Map();
    this.#last = undefined;
  }

  close(): void {
    this.#turns.close();
    this.clear();
  }

  #take(): void {
    if (this.#last === undefined) return;
    const events = { ...this.#last, events: [...this.#newest.values()] };
    this.clear();
    try {
      this.#parts.onTake(events);
    } catch (error) {
      this.#parts.onError(error);
    }
  }
}
