import { CONFIG_SCHEMA } from './config-schema.ts';
import type { Field, KeyPath } from './field.ts';

/** One key of the configuration that has a value. */
export interface ConfigKey {
  /** `networking.tls.profile.destinations` */
  readonly key: string;
  /** Its option, without indexes: `['networking', 'tls', 'profiles', 'destinations']`. */
  readonly optionPath: readonly string[];
  readonly field: Field<unknown>;
  /** True where it stands in `[[tables]]` and has a value for each of them. */
  readonly repeated: boolean;
}

/** Every key of the configuration that has a value, in the order of the schema. */
export const CONFIG_KEYS: readonly ConfigKey[] = listKeys(CONFIG_SCHEMA, [], [], false);

function listKeys(
  table: Field<unknown>,
  names: readonly string[],
  optionPath: readonly string[],
  repeated: boolean,
): ConfigKey[] {
  return Object.entries(table.fields).flatMap(([option, field]) => {
    const at = [...names, field.name];
    const options = [...optionPath, option];
    if (field.shape === 'value') return [{ key: at.join('.'), optionPath: options, field, repeated }];
    return listKeys(field, at, options, repeated || field.shape === 'table-list');
  });
}

/** The words of the file for a path of options; what is not an option (an index, a label) stays as it is. */
export function keyPathOf(optionPath: KeyPath): KeyPath {
  let field: Field<unknown> | undefined = CONFIG_SCHEMA;
  return optionPath.map(part => {
    if (typeof part === 'number') return part;
    field = field?.fields[part];
    return field?.name ?? part;
  });
}

/** A path for people: `networking.tls.profile[0].ca-file`. The index of a value in a list is left to its place. */
export function keyText(path: KeyPath): string {
  const named = typeof path.at(-1) === 'number' ? path.slice(0, -1) : path;
  return named
    .map((part, depth) => (typeof part === 'number' ? `[${part}]` : depth === 0 ? part : `.${part}`))
    .join('');
}

const KEY_BY_OPTION: ReadonlyMap<string, string> = new Map(
  allTables(CONFIG_SCHEMA, [], []).concat(CONFIG_KEYS.map(({ key, optionPath }) => [optionPath.join('.'), key])),
);

function allTables(table: Field<unknown>, names: readonly string[], options: readonly string[]): [string, string][] {
  return Object.entries(table.fields).flatMap(([option, field]): [string, string][] => {
    if (field.shape === 'value') return [];
    const at = [...names, field.name];
    const path = [...options, option];
    return [[path.join('.'), at.join('.')], ...allTables(field, at, path)];
  });
}

/** A text in which options stand in backticks, as in an `OptionProblem`, in the words of the file. */
export function inWordsOfTheFile(written: string): string {
  return written.replace(/`([A-Za-z.]+)`/g, (whole, option: string) => KEY_BY_OPTION.get(option) ?? whole);
}
