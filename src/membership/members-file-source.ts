import { isDeepStrictEqual } from 'node:util';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { openWatchedFile } from '../lifecycle/watched-file.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Member } from './member.ts';
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
 * Members from a watched file. A broken file never replaces the members that were read before; it is logged once as
 * `membership.reload_failed`.
 * @throws config_invalid when the first read fails.
 */
export async function openMembersFile(options: MembersFileSourceOptions): Promise<MembershipSource> {
  const { file, check, logger, onReload } = options;
  const watched = await openWatchedFile({
    file,
    load: async () => {
      const members = await loadMembersFile(file);
      check(members);
      return members;
    },
    isSame: isDeepStrictEqual,
    onReload: reading => {
      if ('content' in reading) {
        onReload?.(undefined);
        return logger.info('membership.changed', { members: reading.content.map(({ name }) => name) });
      }
      const { error } = reading;
      onReload?.(messageOf(error));
      const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('membership.reload_failed', { file, problems });
    },
  });
  return { members: watched.content, close: () => watched.close() };
}
