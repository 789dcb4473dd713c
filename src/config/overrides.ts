import { parse } from 'smol-toml';
import type { ConfigProblem } from '../errors/selvedge-error.ts';
import { nearestKey } from '../identity/nearest-key.ts';
import { CONFIG_KEYS } from './config-keys.ts';
import { isTable, text, type ValueType } from './value-types.ts';

const ENV_PREFIX = 'SELVEDGE_';

/** A value that stands above the one in the file. */
export interface Override {
  /** `['networking', 'tls', 'mode']` */
  readonly path: readonly string[];
  readonly value: unknown;
  /** The name of the variable, or `--set`. */
  readonly place: string;
}

export interface Overrides {
  /** The later wins: first the environment, then `--set`. */
  readonly overrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
}

/**
 * What the environment (`SELVEDGE_NETWORKING__TLS__MODE=strict`: two underscores are a dot, one is a dash) and `--set`
 * (`networking.tls.mode=strict`) say. A value is TOML where that is what the key takes, else the text as it stands.
 * A variable with our prefix that names no key is a problem: it would silently do nothing.
 */
export function readOverrides(env: Readonly<Record<string, string | undefined>>, set: readonly string[]): Overrides {
  const overrides: Override[] = [];
  const problems: ConfigProblem[] = [];

  for (const [variable, written] of Object.entries(env)) {
    if (written === undefined || !variable.startsWith(ENV_PREFIX)) continue;
    const target = findTarget(keyOfVariable(variable));
    if (target !== undefined) overrides.push(override(target, written, variable));
    else problems.push(unknownVariable(variable));
  }
  for (const assignment of set) {
    const separator = assignment.indexOf('=');
    const key = assignment.slice(0, separator).trim();
    const target = findTarget(key);
    if (separator < 1) problems.push(notAnAssignment(assignment));
    else if (target !== undefined) overrides.push(override(target, assignment.slice(separator + 1), '--set'));
    else problems.push(unknownSetKey(key));
  }
  return { overrides, problems };
}

interface Target {
  readonly path: readonly string[];
  readonly type: ValueType<unknown> | undefined;
}

/** What may be set: a key that stands once, one label, or all profiles as a list of inline tables. */
function findTarget(key: string): Target | undefined {
  if (SETTABLE.has(key)) return { path: key.split('.'), type: SETTABLE.get(key) };
  if (key.startsWith('labels.')) return { path: ['labels', key.slice('labels.'.length)], type: text };
  return undefined;
}

/** The type of each key that may be set; of a list of tables it is undefined. */
const SETTABLE: ReadonlyMap<string, ValueType<unknown> | undefined> = new Map(
  CONFIG_KEYS.map(({ key, field, repeated }) =>
    repeated ? [key.slice(0, key.lastIndexOf('.')), undefined] : [key, field.value?.type],
  ),
);

function override({ path, type }: Target, written: string, place: string): Override {
  return { path, value: meantValue(written, type), place };
}

/** `1.3` is a number in TOML and a text for `min-version`: the text wins where only the text is what the key takes. */
function meantValue(written: string, type: ValueType<unknown> | undefined): unknown {
  const parsed = parseTomlValue(written);
  if (parsed === undefined) return written;
  if (type === undefined || 'value' in type.read(parsed, '')) return parsed;
  return 'value' in type.read(written, '') ? written : parsed;
}

function parseTomlValue(written: string): unknown {
  try {
    const document: unknown = parse(`value = ${written}`);
    return isTable(document) && Object.keys(document).length === 1 ? document.value : undefined;
  } catch {
    return undefined;
  }
}

function keyOfVariable(variable: string): string {
  const levels = variable.slice(ENV_PREFIX.length).split('__');
  return levels.map(level => level.toLowerCase().replaceAll('_', '-')).join('.');
}

function variableOfKey(key: string): string {
  return ENV_PREFIX + key.replaceAll('.', '__').replaceAll('-', '_').toUpperCase();
}

function unknownVariable(variable: string): ConfigProblem {
  const nearest = nearestKey(variable, [...SETTABLE.keys()].map(variableOfKey)) ?? '';
  return {
    key: '',
    place: variable,
    problem: `The environment variable ${variable} names no key of the configuration.`,
    remedy: `Did you mean ${nearest}? If it is not meant for Selvedge, give it another prefix.`,
  };
}

function unknownSetKey(key: string): ConfigProblem {
  const nearest = nearestKey(key, [...SETTABLE.keys()]) ?? '';
  return {
    key,
    place: '--set',
    problem: `There is no key "${key}" that can be set.`,
    remedy: `Did you mean ${nearest}?`,
  };
}

function notAnAssignment(assignment: string): ConfigProblem {
  const remedy = 'Write --set KEY=VALUE, such as --set networking.tls.mode=strict.';
  return { key: '', place: '--set', problem: `"${assignment}" is not KEY=VALUE.`, remedy };
}
