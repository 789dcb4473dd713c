import { readFile } from 'node:fs/promises';
import type { Policy } from '../authorization/policy.ts';
import { readPolicy } from '../authorization/read-policy.ts';
import { type ConfigProblem, isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { watchFiles } from '../lifecycle/file-watcher.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { NodeProblems, PolicyFileName } from './node-problems.ts';

/** The newest good policy of a file that is watched. */
export interface PolicySource {
  readonly file: string;
  readonly policy: ObservableValue<Policy>;
  close(): Promise<void>;
}

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
export async function openPolicyFile(
  file: string,
  name: PolicyFileName,
  parts: PolicyFileParts,
): Promise<PolicySource> {
  const { methods, logger, metrics, problems } = parts;
  let isClosed = false;
  let isBroken = false;
  let isStale = false;
  let reload = async (): Promise<void> => {
    isStale = true;
  };
  // Watched before it is read, so that no change falls between.
  const watcher = watchFiles({ files: [file], onChange: () => reload() });
  const close = (): Promise<void> => {
    isClosed = true;
    return watcher.close();
  };
  try {
    await watcher.ready;
    let last = await readText(file);
    const policy = new MutableValue(parsePolicy(last, file, methods));
    reload = async () => {
      const read = await tryRead(file, methods);
      if (isClosed || (read.text === last && !isBroken)) return;
      isBroken = 'problem' in read;
      problems.set(name, 'problem' in read ? read.problem : undefined);
      metrics.policyReloads.inc({ file: name, result: isBroken ? 'failed' : 'ok' });
      if ('problem' in read)
        return logger.error('authorization.policy_reload_failed', { which: name, file, problems: read.problems });
      if (read.text !== last) policy.set(read.policy);
      last = read.text;
      logger.info('authorization.policy_reloaded', { which: name, file, policy: policy.value.name });
    };
    if (isStale) void reload();
    return { file, policy, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Read =
  | { readonly text: string; readonly policy: Policy }
  | { readonly text?: never; readonly problem: string; readonly problems: readonly ConfigProblem[] | string };

async function tryRead(file: string, methods: readonly string[]): Promise<Read> {
  try {
    const text = await readText(file);
    return { text, policy: parsePolicy(text, file, methods) };
  } catch (error) {
    const problem = messageOf(error);
    return { problem, problems: isSelvedgeError(error, 'config_invalid') ? error.facts.problems : problem };
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const problem = `The policy cannot be read: ${messageOf(error)}.`;
    throw new SelvedgeError('config_invalid', `${file}: ${problem}`, {
      problems: [{ key: '', place: file, problem, remedy: '' }],
    });
  }
}

function parsePolicy(text: string, file: string, methods: readonly string[]): Policy {
  const reading = readPolicy(text, file, methods);
  if ('policy' in reading) return reading.policy;
  const lines = reading.problems.map(({ place, key, problem, remedy }) =>
    [`${place}:`, key === '' ? '' : `${key}:`, problem, remedy].filter(part => part !== '').join(' '),
  );
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems: reading.problems });
}
