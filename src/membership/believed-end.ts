import { PacedTurns } from '../lifecycle/paced-turns.ts';
import type { MembershipView } from './membership-source.ts';

export interface BelievedEndParts {
  readonly nodeName: string;
  /** Whether what was written can be relied upon. Never rejects. */
  readonly vouches: () => Promise<boolean>;
  /** It can, so that the view is to be shown again. */
  readonly onBelieved: () => void;
}

/** Each question is several calls of etcd, and the view may be shown often. */
const ASK_EVERY_MS = 1_000;

/**
 * That this process is to end is not taken back once it did, so it is believed only when it is known that none but operators
 * can have written it. Until then this node is removed, and goes on.
 */
export class BelievedEnd {
  readonly #parts: BelievedEndParts;
  readonly #turns = new PacedTurns(ASK_EVERY_MS);
  #isToEnd = false;
  #isBelieved = false;

  constructor(parts: BelievedEndParts) {
    this.#parts = parts;
  }

  /** The view as it is to be shown; asks where that is not known yet. */
  shown(view: MembershipView): MembershipView {
    const { nodeName } = this.#parts;
    const { terminating = [], ...rest } = view;
    this.#isToEnd = terminating.includes(nodeName);
    this.#isBelieved &&= this.#isToEnd;
    if (!this.#isToEnd || this.#isBelieved) return view;
    this.#turns.add('ask', () => void this.#ask());
    const others = terminating.filter(name => name !== nodeName);
    return others.length === 0 ? rest : { ...rest, terminating: others };
  }

  close(): void {
    this.#turns.close();
  }

  async #ask(): Promise<void> {
    if (this.#isBelieved || !this.#isToEnd || !(await this.#parts.vouches())) return;
    this.#isBelieved = true;
    this.#parts.onBelieved();
  }
}
