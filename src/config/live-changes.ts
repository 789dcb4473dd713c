import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import type { FabricNodeOptions } from '../node/node-options.ts';
import { CONFIG_KEYS, type ConfigKey } from './config-keys.ts';
import { isTable } from './value-types.ts';

/** Keys that are taken while the node runs; a table stands for all its keys. Everything else needs a restart. */
export const LIVE_KEYS: readonly string[] = ['log-level', 'networking.tls', 'membership', 'authorization'];

export interface LiveChange {
  /** Changed keys that are only taken at start, such as `networking.bind-address`. Not empty: reject the reload. */
  readonly restartRequired: readonly string[];
  /** Every changed key, those included. */
  readonly changed: readonly string[];
}

/**
 * What a reload would change, in the words of the file. A default that is now written out is no change. The members
 * file and the files of the credentials are watched by those who read them; here only their paths count.
 */
export function liveChange(previous: FabricNodeOptions, next: FabricNodeOptions): LiveChange {
  const differing = CONFIG_KEYS.filter(key => !isDeepStrictEqual(settingOf(previous, key), settingOf(next, key)));
  const changed = [...new Set(differing.map(nameOf))];
  return { changed, restartRequired: changed.filter(key => !isLive(key)) };
}

/** Whether `key` is taken while the node runs. */
export function isLive(key: string): boolean {
  return LIVE_KEYS.some(live => key === live || key.startsWith(`${live}.`));
}

/** Keys of a list of tables have no name of their own: the list changed. */
function nameOf({ key, repeated }: ConfigKey): string {
  return repeated ? key.slice(0, key.lastIndexOf('.')) : key;
}

function settingOf(options: FabricNodeOptions, key: ConfigKey): unknown {
  const found = lookUp(options, key.optionPath);
  return found === undefined && !key.repeated ? defaultOf(key) : found;
}

/** In a list: what each element says. */
function lookUp(value: unknown, path: readonly string[]): unknown {
  const [option, ...rest] = path;
  if (option === undefined) return value;
  if (Array.isArray(value)) return value.map((element: unknown) => lookUp(element, path));
  return isTable(value) ? lookUp(value[option], rest) : undefined;
}

function defaultOf({ field }: ConfigKey): unknown {
  if (field.value?.facts.default === undefined) return undefined;
  const read = field.value.type.read(parse(`value = ${field.value.facts.default}`).value, '');
  return 'value' in read ? read.value : undefined;
}
