import type { BearerFile } from '../authentication/bearer-rules.ts';

/** The two policy files, as metrics, events and problems call them. */
export type PolicyFileName = 'policy' | 'shadow_policy';

export type ProblemSource =
  | 'configuration'
  | 'members'
  | 'dns'
  | 'etcd'
  | 'membership'
  | 'registration'
  | 'audit'
  | BearerFile
  | PolicyFileName;

/**
 * Files whose newest content could not be taken or that cannot be written, and the like, each with why. The node runs on all
 * the same.
 */
export class NodeProblems {
  readonly #bySource = new Map<ProblemSource, Map<object, string>>();

  /**
   * @param problem undefined: the source is fine again.
   * @param teller where several of a kind may be open for a while, such as during a reload: which of them. None takes back what
   * another one said.
   */
  set(source: ProblemSource, problem: string | undefined, teller: object = this): void {
    const told = this.#bySource.get(source) ?? new Map<object, string>();
    if (problem === undefined) told.delete(teller);
    else told.set(teller, problem);
    if (told.size === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, told);
  }

  get sources(): readonly ProblemSource[] {
    return [...this.#bySource.keys()];
  }

  get all(): readonly string[] {
    return [...this.#bySource].flatMap(([source, told]) => [...told.values()].map(problem => `${source}: ${problem}`));
  }
}
