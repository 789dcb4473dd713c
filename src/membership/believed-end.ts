import type { MembershipView } from './membership-source.ts';

export interface BelievedEndParts {
  readonly nodeName: string;
  /** Whether what was written can be relied upon. Never rejects. */
  readonly vouches: () => Promise<boolean>;
  /** It can, so that the view is to be shown again. */
  readonly onBelieved: () => void;
}

/**
 * That this process is to end is not taken back once it did, so it is believed only when it is known that none but operators
 * can have written it. Until then this node is removed, and goes on.
 */
export class BelievedEnd {
  readonly #parts: BelievedEndParts;
  #isBelieved = false;
  #isAsking = false;

  constructor(parts: BelievedEndParts) {
    this.#parts = parts;
  }

  /** The view as it is to be shown; asks where that is not known yet. */
  shown(view: MembershipView): MembershipView {
    const { nodeName } = this.#parts;
    const { terminating = [], ...rest } = view;
    const isToEnd = terminating.includes(nodeName);
    this.#isBelieved &&= isToEnd;
    if (!isToEnd || this.#isBelieved) return view;
    void this.#ask();
    const others = terminating.filter(name => name !== nodeName);
    return others.length === 0 ? rest : { ...rest, terminating: others };
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const isBelieved = await this.#parts.vouches();
    this.#isAsking = false;
    if (!isBelieved) return;
    this.#isBelieved = true;
    this.#parts.onBelieved();
  }
}
