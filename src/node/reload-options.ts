import { isDeepStrictEqual } from 'node:util';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { FabricNodeOptions } from './node-options.ts';
import type { NodeSettings, OptionProblem } from './node-settings.ts';
import { resolveNodeOptions } from './resolve-options.ts';

/** @throws config_invalid with every mistake. */
export function resolveOrThrow(options: FabricNodeOptions): {
  settings: NodeSettings;
  warnings: readonly OptionProblem[];
} {
  const resolved = resolveNodeOptions(options);
  if ('settings' in resolved) return resolved;
  const problems = resolved.problems.map(({ path, problem, remedy }) => ({
    key: path.join('.'),
    place: 'options',
    problem,
    remedy,
  }));
  const lines = problems.map(({ key, problem, remedy }) => `${key}: ${problem}${remedy === '' ? '' : ` ${remedy}`}`);
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}

/** @throws restart_required when options differ that are only taken at start. */
export function checkLiveOnly(previous: FabricNodeOptions, next: FabricNodeOptions): void {
  const before = startOnly(previous);
  const after = startOnly(next);
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    key => !isDeepStrictEqual(before[key], after[key]),
  );
  if (keys.length === 0) return;
  throw new SelvedgeError('restart_required', `these options are only taken at start: ${keys.join(', ')}`, { keys });
}

function startOnly(options: FabricNodeOptions): Readonly<Record<string, unknown>> {
  const {
    networking = {},
    authorization: _authorization,
    membership: _membership,
    logLevel: _logLevel,
    ...rest
  } = options;
  const { tls: _tls, ...network } = networking;
  const flat = Object.entries(network).map(([key, value]) => [`networking.${key}`, value]);
  return { ...rest, ...Object.fromEntries(flat) };
}
