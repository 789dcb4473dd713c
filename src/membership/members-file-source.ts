import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import { openWatchedFile } from '../lifecycle/watched-file.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Member } from './member.ts';
import { isSameView } from './member-changes.ts';
import { loadMembersFile } from './members-file.ts';
import { membersFileEditor } from './members-file-instructions.ts';
import { CURRENT, type MembershipSource, type SourceStanding } from './membership-source.ts';

export interface MembersFileSourceOptions {
  readonly file: string;
  readonly logger: Logger;
  /** What must hold beyond the syntax, such as "strict cannot reach http alone". Throws to reject the set. */
  readonly check: (members: readonly Member[]) => void;
  /** Told of every later reading: whether it was taken. */
  readonly onReload?: (result: 'ok' | 'failed') => void;
}

/**
 * Members from a watched file. A broken file never replaces the members that were read before; it is logged once as
 * `membership.reload_failed`, and as `membership.reload_recovered` when it is good again.
 * @throws config_invalid when the first read fails.
 */
export async function openMembersFile(options: MembersFileSourceOptions): Promise<MembershipSource> {
  const { file, check, logger, onReload } = options;
  const standing = new MutableValue<SourceStanding>(CURRENT);
  const watched = await openWatchedFile({
    file,
    load: async () => {
      const view = await loadMembersFile(file);
      check(view.members);
      return view;
    },
    isSame: isSameView,
    onReload: reading => {
      onReload?.('content' in reading ? 'ok' : 'failed');
      if ('content' in reading) {
        if (standing.value.state === 'frozen') logger.info('membership.reload_recovered', { file });
        return standing.set(CURRENT);
      }
      const { error } = reading;
      const sinceMs = standing.value.state === 'frozen' ? standing.value.sinceMs : Date.now();
      standing.set({ state: 'frozen', sinceMs, problem: printable(messageOf(error)) });
      const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('membership.reload_failed', { file, problems });
    },
  });
  return {
    kind: 'file',
    view: watched.content,
    standing,
    lists: true,
    editor: membersFileEditor(file, () => watched.content.value),
    close: () => watched.close(),
  };
}
