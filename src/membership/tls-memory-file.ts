import { isNodeName } from '../identity/node-name.ts';
import {
  isRecord,
  type KeptValue,
  type KeptValueFormat,
  openKeptValue,
  parseVersioned,
} from '../lifecycle/kept-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import { NO_MEMORY, type RememberedMember, type TlsMemory } from './tls-memory.ts';

const VERSION = 1;

/** All of it is understood, or nothing. */
export const TLS_MEMORY_FORMAT: KeptValueFormat<TlsMemory> = {
  empty: NO_MEMORY,
  serialize: memory => `${JSON.stringify({ version: VERSION, members: Object.fromEntries(memory) }, undefined, 1)}\n`,
  parse: text => {
    const root = parseVersioned(text, VERSION);
    if ('problem' in root) return root;
    if (!isRecord(root.value.members)) return { problem: 'does not hold members' };
    const members = new Map<string, RememberedMember>();
    for (const [name, member] of Object.entries(root.value.members)) {
      if (!isNodeName(name) || !isRemembered(member)) return { problem: 'holds a member that cannot be understood' };
      const { entry, generation, permitted } = member;
      members.set(name, { entry, generation, permitted });
    }
    return { value: members };
  },
};

/**
 * The memory in `file`. One that holds nonsense is an empty memory, so that the node starts, and an error in the log
 * (`membership.memory_rejected`).
 */
export async function openTlsMemory(file: string, logger: Logger): Promise<KeptValue<TlsMemory>> {
  const kept = await openKeptValue(file, TLS_MEMORY_FORMAT, problem =>
    logger.error('membership.memory_not_saved', { file, problem }),
  );
  if (kept.problem !== undefined) logger.error('membership.memory_rejected', { file, problem: kept.problem });
  return kept;
}

function isRemembered(value: unknown): value is RememberedMember {
  if (!isRecord(value)) return false;
  const { entry, generation, permitted } = value;
  const isEntry = Array.isArray(entry) && entry.every(text => typeof text === 'string');
  return isEntry && Number.isSafeInteger(generation) && Number(generation) > 0 && typeof permitted === 'boolean';
}
