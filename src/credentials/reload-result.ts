import type { CredentialProblem } from './credential-problem.ts';

/**
 * Why credentials were read. `config`: the configuration of a running node changed. `signal`: SIGHUP, or a program asked
 * its node. `admin`: an operator asked.
 */
export type ReloadTrigger = 'start' | 'config' | 'signal' | 'watch' | 'poll' | 'admin';

export interface ReloadResult {
  /**
   * `unchanged`: the files say what they said before. `failed`: they cannot be used and the last good set stays, or its
   * certificate with the new anchors and CRLs, where those are good.
   */
  readonly result: 'ok' | 'unchanged' | 'failed';
  /** Of the snapshot in use now. */
  readonly generation: number;
  /** Why it failed; otherwise empty. */
  readonly problems: readonly CredentialProblem[];
}
