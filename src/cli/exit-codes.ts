/** Exit codes of both programs. `selvedge` says `config` where `selvedgectl` says `failure`. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** A question was answered with no: not healthy, not ready for a mode, not admitted. */
  checkSaidNo: 3,
  /** EX_CONFIG of sysexits.h: the configuration, or the credentials it names, cannot be used. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
