import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type KeptValueFormat, openKeptValue } from '../lifecycle/kept-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import { EtcdSource } from './etcd-source.ts';
import type { EtcdSourceParts, EtcdTiming } from './etcd-source-parts.ts';
import { etcdStateFormat } from './etcd-state-file.ts';

export interface EtcdSourceOptions extends Omit<EtcdSourceParts, 'holderId' | 'cache' | 'timing'> {
  /** Where the id of this node as a holder of its name is kept, and what is known of members. */
  readonly dataDir: string;
  readonly requestTimeoutMs: number;
  /** Default: as the lease and the timeout of requests have it. */
  readonly timing?: Partial<EtcdTiming>;
}

const MAX_FREEZE_AFTER_MS = 2_000;
const GUARD_EVERY_MS = 600_000;
/** etcd looks for leases that ended about every half second, and a new leader gives all of them more time. */
const HOLD_MARGIN_MS = 3_000;

/**
 * Opens the source, which then owns the connection. The file of the last known state (`membership-etcd.json`) and that of
 * the holder id (`etcd-holder`) lie in the data directory, mode 0600.
 * @throws as {@link EtcdSource.start}, with nothing open.
 */
export async function openEtcdSource(options: EtcdSourceOptions): Promise<EtcdSource> {
  const { dataDir, requestTimeoutMs, timing, ...parts } = options;
  const { logger, leaseTtlMs, prefix } = parts;
  const file = join(dataDir, 'membership-etcd.json');
  const cache = await openKeptValue(file, etcdStateFormat(prefix), problem =>
    logger.error('membership.cache_not_saved', { file, problem }),
  );
  if (cache.problem !== undefined) logger.error('membership.cache_rejected', { file, problem: cache.problem });
  const source = new EtcdSource({
    ...parts,
    cache,
    holderId: await holderIdIn(dataDir, logger),
    timing: {
      freezeAfterMs: Math.min(requestTimeoutMs, MAX_FREEZE_AFTER_MS),
      askEveryMs: requestTimeoutMs,
      guardEveryMs: GUARD_EVERY_MS,
      holdMarginMs: HOLD_MARGIN_MS,
      endTimeoutMs: requestTimeoutMs,
      // Several tries must fit into the time that a lease has left when it should be kept alive.
      retry: { maxMs: Math.min(5_000, leaseTtlMs / 6) },
      ...timing,
    },
  });
  try {
    await source.start();
  } catch (error) {
    await source.close();
    throw error;
  }
  return source;
}

async function holderIdIn(dataDir: string, logger: Logger): Promise<string> {
  const file = join(dataDir, 'etcd-holder');
  const kept = await openKeptValue(file, HOLDER_ID, problem =>
    logger.error('membership.cache_not_saved', { file, problem }),
  );
  if (kept.value.value === '') kept.value.set(randomUUID());
  await kept.close();
  return kept.value.value;
}

const HOLDER_ID: KeptValueFormat<string> = {
  empty: '',
  serialize: id => `${id}\n`,
  parse: text => {
    const id = text.trim();
    return /^[0-9a-f-]{36}$/.test(id) ? { value: id } : { problem: 'does not hold an id' };
  },
};
