/** One of those that take turns. */
export interface Weighted {
  readonly name: string;
  /** Its share, 0 or more. */
  readonly weight: number;
}

/**
 * Turns in proportion to weights, spread evenly: of 3 and 1 the one comes after every two or three of the other, never three
 * calls after the last (smooth weighted round robin, as in nginx). Those of one weight come in their order. Weight 0 is
 * never chosen while another has more; where all have it, they take equal turns.
 *
 * W1. Without a change of the choices, among as many turns as the sum of the weights each comes as often as its weight.
 * W2. Who is not among the choices of a turn is forgotten: it comes back without what it missed, or had too much. Whoever
 *     stays owes or is owed no more than one round of the new weights.
 */
export class WeightedTurns {
  #credits: ReadonlyMap<string, number> = new Map();

  /** Whose turn it is; undefined where there is nobody. */
  next<Choice extends Weighted>(choices: readonly Choice[]): Choice | undefined {
    const sum = choices.reduce((before, { weight }) => before + weight, 0);
    const total = sum === 0 ? choices.length : sum;
    const credits = new Map<string, number>();
    let best: Choice | undefined;
    let most = Number.NEGATIVE_INFINITY;
    for (const choice of choices) {
      const { name } = choice;
      const before = Math.max(-total, Math.min(total, this.#credits.get(name) ?? 0));
      const credit = before + (sum === 0 ? 1 : choice.weight);
      credits.set(name, credit);
      if (credit <= most || (sum > 0 && choice.weight === 0)) continue;
      best = choice;
      most = credit;
    }
    if (best !== undefined) credits.set(best.name, most - total);
    this.#credits = credits;
    return best;
  }
}
