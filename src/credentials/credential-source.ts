import type { Logger } from '../telemetry/logger.ts';
import type { CredentialReading } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';

/** Where credentials come from: asked for a whole set, and telling when another one may be there. */
export interface CredentialSource {
  /** The set as it is now, each part read once. Never rejects: what is wrong is in the reading. */
  read(): Promise<CredentialReading>;
  /** Tells of nothing from now on, and waits for an `onChange` that runs. */
  close(): Promise<void>;
}

export interface CredentialSourceParts {
  /** Whether to tell of changes at all. */
  readonly watch: boolean;
  /** Told that another set may be there; never while the call before it is still running. */
  readonly onChange: () => unknown;
  readonly logger: Logger;
  /** Why what lies there must not be believed now; asked before files are read and before an agent is dialled. Default: it may. */
  readonly whyNotBelieved?: () => Promise<CredentialProblem | undefined>;
  /** The table of mounts, in which files that can never change are found. Default `/proc/self/mountinfo`. */
  readonly mountInfo?: string;
}
