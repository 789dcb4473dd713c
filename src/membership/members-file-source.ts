import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { type FileWatcher, watchFiles } from '../lifecycle/file-watcher.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
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
  const first = await loadMembersFile(options.file);
  options.check(first);
  const members = new MutableValue(first);
  const watcher: FileWatcher = watchFiles({
    files: [options.file],
    onChange: async () => {
      try {
        const next = await loadMembersFile(options.file);
        options.check(next);
        members.set(next);
        options.onReload?.(undefined);
        options.logger.info('membership.changed', { members: next.map(member => member.name) });
      } catch (error) {
        const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
        options.onReload?.(messageOf(error));
        options.logger.error('membership.reload_failed', { file: options.file, problems });
      }
    },
  });
  await watcher.ready;
  return { members, close: () => watcher.close() };
}
