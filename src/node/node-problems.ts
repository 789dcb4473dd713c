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

/** Files whose newest content could not be taken or that cannot be written, each with why. The node runs on all the same. */
export class NodeProblems {
  readonly #bySource = new Map<ProblemSource, string>();

  /** @param problem undefined: the source is fine again. */
  set(source: ProblemSource, problem: string | undefined): void {
    if (problem === undefined) this.#bySource.delete(source);
    else this.#bySource.set(source, problem);
  }

  get sources(): readonly ProblemSource[] {
    return [...this.#bySource.keys()];
  }

  get all(): readonly string[] {
    return [...this.#bySource].map(([source, problem]) => `${source}: ${problem}`);
  }
}
