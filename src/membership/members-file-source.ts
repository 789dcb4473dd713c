import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { openWatchedFile } from '../lifecycle/watched-file.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Member } from './member.ts';
import { changesOfMembers } from './member-changes.ts';
import { loadMembersFile } from './members-file.ts';

/** A membership source: who exists, and at which hosts. */
export interface MembershipSource {
  readonly members: ObservableValue<readonly Member[]>;
  close(): Promise<void>;
}

export interface MembersFileSourceOptions {
  readonly file: string;
  readonly logger: Logger;
  /** What must hold beyond the syntax, such as "strict cannot reach http alone". Throws to reject the set. */
  readonly check: (members: readonly Member[]) => void;
  /** Told of every later reading: why it was rejected, or undefined. */
  readonly onReload?: (problem: string | undefined) => void;
}

/**
 * Members from a watched file. What changed is logged as `membership.changed`, by name. A broken file never replaces the
 * members that were read before; it is logged once as `membership.reload_failed`, and as `membership.reload_recovered` when
 * it says again what it said before.
 * @throws config_invalid when the first read fails.
 */
export async function openMembersFile(options: MembersFileSourceOptions): Promise<MembershipSource> {
  const { file, check, logger, onReload } = options;
  let known: readonly Member[] | undefined;
  const watched = await openWatchedFile({
    file,
    load: async () => {
      const { members } = await loadMembersFile(file);
      check(members);
      known ??= members;
      return members;
    },
    isSame: (next, present) => changesBetween(present, next).length === 0,
    onReload: reading => {
      if ('content' in reading) {
        onReload?.(undefined);
        const changes = changesBetween(known ?? [], reading.content);
        known = reading.content;
        if (changes.length === 0) return logger.info('membership.reload_recovered', { file });
        return logger.info('membership.changed', { members: known.length, ...Object.fromEntries(changes) });
      }
      const { error } = reading;
      onReload?.(messageOf(error));
      const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('membership.reload_failed', { file, problems });
    },
  });
  return { members: watched.content, close: () => watched.close() };
}

/** The lists that are not empty, each with what is in it. */
function changesBetween(previous: readonly Member[], next: readonly Member[]): readonly [string, readonly string[]][] {
  return Object.entries(changesOfMembers(previous, next)).filter(([, names]) => names.length > 0);
}
