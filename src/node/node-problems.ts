/** Files whose newest content could not be taken, each with why. The node runs on what it had. */
export class NodeProblems {
  readonly #bySource = new Map<'configuration' | 'members', string>();

  /** @param problem undefined: the source is fine again. */
  set(source: 'configuration' | 'members', problem: string | undefined): void {
    if (problem === undefined) this.#bySource.delete(source);
    else this.#bySource.set(source, problem);
  }

  get all(): readonly string[] {
    return [...this.#bySource].map(([source, problem]) => `${source}: ${problem}`);
  }
}
