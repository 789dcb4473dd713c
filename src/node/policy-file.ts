import type { Policy } from '../authorization/policy.ts';
import { readPolicy } from '../authorization/read-policy.ts';
import { readFiles } from '../credentials/credential-files.ts';
import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { openWatchedFile, type WatchedFile } from '../lifecycle/watched-file.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { NodeProblems, PolicyFileName } from './node-problems.ts';

export interface PolicyFileParts {
  /** Paths of what the node serves. */
  readonly methods: readonly string[];
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly problems: NodeProblems;
}

/** @throws config_invalid with every mistake in the file. */
export async function loadPolicy(file: string, methods: readonly string[]): Promise<Policy> {
  return parsePolicy(await readText(file), file, methods);
}

/**
 * A policy from a watched file. What is broken never replaces what was read before: it is told once, as
 * `authorization.policy_reload_failed`, and is a problem of the node until the file is good again.
 * @throws config_invalid when the first reading fails.
 */
export function openPolicyFile(
  file: string,
  name: PolicyFileName,
  parts: PolicyFileParts,
): Promise<WatchedFile<Policy>> {
  const { methods, logger, metrics, problems } = parts;
  return openWatchedFile({
    file,
    load: () => loadPolicy(file, methods),
    isSame: (next, present) => next.text === present.text,
    onReload: reading => {
      const error = 'error' in reading ? reading.error : undefined;
      problems.set(name, error === undefined ? undefined : messageOf(error));
      metrics.policyReloads.inc({ file: name, result: error === undefined ? 'ok' : 'failed' });
      if ('content' in reading)
        return logger.info('authorization.policy_reloaded', { which: name, file, policy: reading.content.name });
      const mistakes = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('authorization.policy_reload_failed', { which: name, file, problems: mistakes });
    },
  });
}

/** More is another file than was meant: all of it would be read in one turn of the event loop. */
const MAX_FILE_BYTES = 1024 * 1024;

async function readText(file: string): Promise<string> {
  const { contents, problems } = await readFiles([file]);
  const bytes = contents.get(file)?.bytes ?? new Uint8Array();
  const tooLarge = bytes.length > MAX_FILE_BYTES ? `is larger than ${MAX_FILE_BYTES} bytes` : undefined;
  const why = problems[0]?.problem ?? tooLarge;
  if (why === undefined) return Buffer.from(bytes).toString('utf8');
  const problem = `The policy file ${why}.`;
  throw new SelvedgeError('config_invalid', `${file}: ${problem}`, {
    problems: [{ key: '', place: file, problem, remedy: '' }],
  });
}

function parsePolicy(text: string, file: string, methods: readonly string[]): Policy {
  const reading = readPolicy(text, file, methods);
  if ('policy' in reading) return reading.policy;
  const lines = reading.problems.map(({ place, key, problem, remedy }) =>
    [`${place}:`, key === '' ? '' : `${key}:`, problem, remedy].filter(part => part !== '').join(' '),
  );
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems: reading.problems });
}
