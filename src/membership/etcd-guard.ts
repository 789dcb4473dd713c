import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type EtcdGap, type EtcdGapParts, findEtcdGap } from './etcd-gaps.ts';
import { unguarded } from './etcd-words.ts';

export interface EtcdGuardParts extends EtcdGapParts {
  /** Then it is logged, and no more. */
  readonly allowUnguarded: boolean;
  readonly everyMs: number;
  /** Who we are for etcd, for messages. */
  readonly user: () => string | undefined;
  readonly logger: Logger;
  /** Undefined: all is as it should be. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** Tries from time to time whether etcd's access control keeps nodes from writing what others say of themselves. */
export class EtcdGuard {
  readonly #parts: EtcdGuardParts;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #hasLooked = false;
  #told: EtcdGap | undefined;

  constructor(parts: EtcdGuardParts) {
    this.#parts = parts;
  }

  /** The first try. @throws config_invalid where it does not and that is not allowed; as a call of the client. */
  async insist(): Promise<void> {
    const gap = await findEtcdGap(this.#parts);
    if (gap !== undefined && !this.#parts.allowUnguarded) throw notGuarded(gap, unguarded(this.#parts.user(), gap));
    this.#tell(gap);
  }

  /** From now on what changes is a problem. */
  watch(): void {
    this.#timer = setInterval(() => void this.#look(), this.#parts.everyMs).unref();
  }

  /** etcd is back: tries now where that was not possible yet. */
  lookFirst(): void {
    if (this.#timer !== undefined && !this.#hasLooked) void this.#look();
  }

  /** Whether what stands in etcd now is by those who may write it, or by whom we are content with. Never rejects. */
  async vouches(): Promise<boolean> {
    if (this.#parts.allowUnguarded) return true;
    return (await this.#look()) && this.#told === undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @returns whether etcd answered. */
  async #look(): Promise<boolean> {
    try {
      this.#tell(await findEtcdGap(this.#parts));
      return true;
    } catch {
      // Nothing was learned. That etcd is away, the standing of the source says.
      return false;
    }
  }

  #tell(gap: EtcdGap | undefined): void {
    const { logger, user, allowUnguarded, onProblem } = this.#parts;
    this.#hasLooked = true;
    if (this.#isClosed || (gap?.key === this.#told?.key && gap?.kind === this.#told?.kind)) return;
    this.#told = gap;
    const problem = gap === undefined ? undefined : unguarded(user(), gap);
    if (gap !== undefined) logger.warn('membership.unguarded', { source: 'etcd', key: gap.key, problem });
    if (!allowUnguarded) onProblem(problem);
  }
}

const REMEDIES: Readonly<Record<EtcdGap['kind'], string>> = {
  grant: 'Bind each user of etcd to the keys of its own name (see docs/membership.md)',
  nested: 'Update all servers of etcd (see docs/membership.md)',
};

function notGuarded({ kind }: EtcdGap, problem: string): SelvedgeError<'config_invalid'> {
  const key = 'membership.etcd.allow-unguarded';
  const remedy = `${REMEDIES[kind]}, or set it to true where each node may be trusted with all others.`;
  const problems = [{ key, place: '', problem, remedy }];
  return new SelvedgeError('config_invalid', `${key}: ${problem}. ${remedy}`, { problems });
}
