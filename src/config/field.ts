import { nearestKey } from '../identity/nearest-key.ts';
import { describe, isTable, type ValueType } from './value-types.ts';

/** Where a value stands in the configuration, in the words of the file: `['networking', 'tls', 'profile', 0]`. */
export type KeyPath = readonly (string | number)[];

/** What reading needs, and whom it tells. */
export interface ReadContext {
  /** Where relative paths begin. */
  readonly baseDir: string;
  /** Every key of the configuration, dotted, for the remedy of an unknown one. */
  readonly knownKeys: readonly string[];
  report(path: KeyPath, problem: string, remedy: string): void;
}

/** What `docs/configuration.md` says of a key with a value. */
export interface FieldFacts {
  readonly meaning: string;
  /** As TOML, such as `"30s"`: to leave the key out means exactly this. */
  readonly default?: string;
  /** The default in words, where it is no single value. */
  readonly otherwise?: string;
}

/** A key of the configuration: how it is written, and how it becomes an option of type `V`. */
export interface Field<V> {
  /** As it is written: `drain-timeout`. */
  readonly name: string;
  readonly shape: 'value' | 'table' | 'table-list';
  /** The fields of a table, by the name of their option; empty for a value. */
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  /** Undefined for a table. */
  readonly value: { readonly type: ValueType<V>; readonly facts: FieldFacts } | undefined;
  /** Reports every mistake below `path` and leaves out what it could not read. */
  read(raw: unknown, path: KeyPath, context: ReadContext): V | undefined;
}

/** One field for each option of `T`: the compiler holds the keys complete and of the right type. */
export type FieldsOf<T> = { readonly [Option in keyof T]-?: Field<NonNullable<T[Option]>> };

/** A key with one value. */
export function value<V>(name: string, type: ValueType<V>, facts: FieldFacts): Field<V> {
  return {
    name,
    shape: 'value',
    fields: {},
    value: { type, facts },
    read: (raw, path, context) => {
      const read = type.read(raw, context.baseDir);
      if ('value' in read) return read.value;
      for (const { problem, remedy, index } of read.problems)
        context.report(index === undefined ? path : [...path, index], problem, remedy);
      return undefined;
    },
  };
}

/** A table of keys, such as `[networking]`. */
export function table<T extends object>(name: string, fields: FieldsOf<T>): Field<T> {
  return {
    name,
    shape: 'table',
    fields: untyped(fields),
    value: undefined,
    read: (raw, path, context) => {
      if (isTable(raw)) return readTable(fields, raw, path, context);
      context.report(path, `${describe(raw)} is not a table.`, `Write [${path.join('.')}] and its keys below it.`);
      return undefined;
    },
  };
}

/** Any number of tables, such as `[[networking.tls.profile]]`. */
export function tableList<T extends object>(name: string, fields: FieldsOf<T>): Field<readonly T[]> {
  const element = table<T>(name, fields);
  return {
    name,
    shape: 'table-list',
    fields: element.fields,
    value: undefined,
    read: (raw, path, context) => {
      if (!Array.isArray(raw)) {
        context.report(path, 'This is one table where a list of tables is expected.', `Write [[${path.join('.')}]].`);
        return undefined;
      }
      const elements: readonly unknown[] = raw;
      // An element that is no table stays as an empty one, so that the index of the next ones remains true.
      return elements.map((entry, index) => element.read(entry, [...path, index], context) ?? ({} as T));
    },
  };
}

/**
 * What could be read of a table. Options that are required and missing are left to `resolveNodeOptions`, which
 * reports them with everything else that has no meaning.
 */
function readTable<T extends object>(
  fields: FieldsOf<T>,
  raw: Readonly<Record<string, unknown>>,
  path: KeyPath,
  context: ReadContext,
): T {
  const known = new Map(Object.entries(untyped(fields)).map(([option, field]) => [field.name, { option, field }]));
  const options: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(raw)) {
    const target = known.get(name);
    if (target === undefined) reportUnknown(name, [...known.keys()], path, context);
    else {
      const option = target.field.read(entry, [...path, name], context);
      if (option !== undefined) options[target.option] = option;
    }
  }
  return options as T;
}

function reportUnknown(name: string, siblings: readonly string[], path: KeyPath, context: ReadContext): void {
  const elsewhere = context.knownKeys.find(key => key.endsWith(`.${name}`));
  const nearest = elsewhere ?? [...path.filter(part => typeof part === 'string'), nearestKey(name, siblings)].join('.');
  context.report([...path, name], `There is no key "${name}" here.`, `Did you mean ${nearest}?`);
}

function untyped<T extends object>(fields: FieldsOf<T>): Readonly<Record<string, Field<unknown>>> {
  return Object.fromEntries<Field<unknown>>(Object.entries(fields));
}
