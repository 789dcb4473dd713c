import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { EtcdClient } from '../rpc/etcd-client.ts';
import { etcdFailureOf } from '../rpc/etcd-failure.ts';
import type { Logger } from '../telemetry/logger.ts';
import { etcdKey } from './etcd-keys.ts';
import { unguarded } from './etcd-words.ts';

/** No node bears it: a node name holds no `~`. */
const NOBODY = '~guard~';

export interface EtcdGuardParts {
  readonly client: Pick<EtcdClient, 'transact'>;
  readonly prefix: string;
  readonly nodeName: string;
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
  #told: string | undefined;

  constructor(parts: EtcdGuardParts) {
    this.#parts = parts;
  }

  /** The first try. @throws config_invalid where it does not and that is not allowed; as a call of the client. */
  async insist(): Promise<void> {
    const { client, prefix, nodeName, allowUnguarded } = this.#parts;
    const key = await unguardedKey(client, prefix, nodeName);
    if (key !== undefined && !allowUnguarded) throw notGuarded(unguarded(this.#parts.user(), key));
    this.#tell(key);
  }

  /** From now on what changes is a problem. */
  watch(): void {
    this.#timer = setInterval(() => void this.#look(), this.#parts.everyMs).unref();
  }

  /** etcd is back: tries now where that was not possible yet. */
  lookFirst(): void {
    if (this.#timer !== undefined && !this.#hasLooked) void this.#look();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const { client, prefix, nodeName } = this.#parts;
    try {
      this.#tell(await unguardedKey(client, prefix, nodeName));
    } catch {
      // Nothing was learned. That etcd is away, the standing of the source says.
    }
  }

  #tell(key: string | undefined): void {
    const { logger, user, allowUnguarded, onProblem } = this.#parts;
    this.#hasLooked = true;
    if (this.#isClosed || key === this.#told) return;
    this.#told = key;
    const problem = key === undefined ? undefined : unguarded(user(), key);
    if (problem !== undefined) logger.warn('membership.unguarded', { source: 'etcd', key, problem });
    if (!allowUnguarded) onProblem(problem);
  }
}

/**
 * A key by which this node could register, or hold the name of, another node, which etcd's own access control ought to
 * refuse; undefined where it does. Keys that begin like our own are among those that are tried: what was granted with
 * `--prefix` reaches them. Writes nothing: the transaction holds under a condition that is never true, and etcd asks for
 * the permissions of all it might do.
 * @throws as a call of the client, where etcd does not answer.
 */
export async function unguardedKey(
  client: Pick<EtcdClient, 'transact'>,
  prefix: string,
  nodeName: string,
): Promise<string | undefined> {
  const own = etcdKey(prefix, 'holders', nodeName);
  for (const kind of ['nodes', 'holders'] as const)
    for (const name of [NOBODY, `${nodeName}${NOBODY}`]) {
      const key = etcdKey(prefix, kind, name);
      if (await mayWrite(client, own, key)) return key;
    }
  return undefined;
}

async function mayWrite(client: Pick<EtcdClient, 'transact'>, own: string, key: string): Promise<boolean> {
  try {
    await client.transact([{ key: own, never: true }], [{ kind: 'put', key, value: '' }]);
    return true;
  } catch (error) {
    if (etcdFailureOf(error).kind === 'denied') return false;
    throw error;
  }
}

function notGuarded(problem: string): SelvedgeError<'config_invalid'> {
  const key = 'membership.etcd.allow-unguarded';
  const remedy =
    'Bind each user of etcd to the keys of its own name (see docs/membership.md), or set it to true where nobody else reaches etcd.';
  const problems = [{ key, place: '', problem, remedy }];
  return new SelvedgeError('config_invalid', `${key}: ${problem}. ${remedy}`, { problems });
}
