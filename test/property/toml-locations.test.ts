import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import type { KeyPath } from '../../src/config/field.ts';
import { TomlLocations } from '../../src/config/toml-locations.ts';

const key = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/), fc.string({ unit: 'grapheme', maxLength: 6 }));
const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.stringMatching(/^[[\]{}#"'.=, \\\n]*$/),
  fc.integer(),
  fc.boolean(),
);

const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>(tie => ({
  table: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    tie('table'),
    fc.array(tie('table'), { minLength: 1, maxLength: 3 }),
  ),
}));

test('every value is found exactly where it is written', () => {
  fc.assert(
    fc.property(table, document => {
      const source = stringify(document);
      const locations = new TomlLocations(source);
      for (const { path, written } of leavesOf(document, [])) {
        const { line, column } = locations.find(path);
        const rest = source
          .split('\n')
          .slice(line - 1)
          .join('\n')
          .slice(column - 1);
        assert.ok(rest.startsWith(written), `${JSON.stringify(path)} is at ${line}:${column} of\n${source}`);
      }
    }),
  );
});

interface Leaf {
  readonly path: KeyPath;
  /** How the document has it, from its first character. */
  readonly written: string;
}

function leavesOf(value: unknown, path: KeyPath): readonly Leaf[] {
  if (Array.isArray(value)) {
    return value.flatMap((element: unknown, index) => leavesOf(element, [...path, index]));
  }
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, entry]) => leavesOf(entry, [...path, name]));
  const name = path.at(-1);
  if (typeof name === 'number') return [{ path, written: stringify({ v: value }).slice('v = '.length).trimEnd() }];
  return [{ path, written: stringify({ [String(name)]: value }).trimEnd() }];
}
