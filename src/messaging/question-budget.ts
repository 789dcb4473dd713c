const QUESTIONS_PER_MINUTE = 60;
/** Of all nodes together: where names are not bound to certificates, a peer may take as many as it likes. */
const ALL_QUESTIONS_PER_MINUTE = 600;
const MINUTE_MS = 60_000;

/**
 * How many questions of admission a node judges: in a minute 60 of one node, over however many streams it asks, and 600
 * in all. Verifying signatures costs some milliseconds; a node that renews every second asks no more than this.
 */
export class QuestionBudget {
  readonly #clock: () => number;
  readonly #judged = new Map<string, number>();
  #minuteBegan = Number.NEGATIVE_INFINITY;
  #judgedInAll = 0;

  /** @param clock milliseconds that only grow. Default: those of the process. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Takes one question of the node out of the budget; false where nothing is left. */
  take(nodeName: string): boolean {
    const now = this.#clock();
    if (now - this.#minuteBegan >= MINUTE_MS) {
      this.#minuteBegan = now;
      this.#judgedInAll = 0;
      this.#judged.clear();
    }
    const judged = this.#judged.get(nodeName) ?? 0;
    if (judged >= QUESTIONS_PER_MINUTE || this.#judgedInAll >= ALL_QUESTIONS_PER_MINUTE) return false;
    this.#judged.set(nodeName, judged + 1);
    this.#judgedInAll += 1;
    return true;
  }
}
