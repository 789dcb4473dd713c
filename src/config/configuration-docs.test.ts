import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CONFIG_KEYS, type ConfigKey } from './config-keys.ts';
import { isLive } from './live-changes.ts';

const DOCUMENT = new URL('../../docs/configuration.md', import.meta.url);

test('docs/configuration.md says of every key its type, default, how it changes and what it means', async () => {
  const rows = rowsOf(await readFile(DOCUMENT, 'utf8'));
  assert.deepEqual([...rows].toSorted(), CONFIG_KEYS.map(rowOf).toSorted());
});

test('every key has a meaning, and a default in TOML or in words', () => {
  for (const { key, field } of CONFIG_KEYS) {
    assert.ok(field.value !== undefined, key);
    const { meaning, default: byDefault, otherwise } = field.value.facts;
    assert.match(meaning, /\.$/, key);
    assert.equal((byDefault === undefined) !== (otherwise === undefined), true, `${key} has one of the two`);
  }
});

function rowsOf(document: string): readonly string[] {
  const rows = document.split('\n').filter(line => line.startsWith('| `'));
  // How wide the columns are drawn says nothing.
  return rows.map(row => row.replace(/ +(?=\|)/g, ' '));
}

function rowOf({ key, field }: ConfigKey): string {
  const facts = field.value?.facts;
  const byDefault = facts?.default === undefined ? facts?.otherwise : `\`${facts.default}\``;
  const change = isLive(key) ? 'live' : 'restart';
  return `| \`${key}\` | ${field.value?.type.name} | ${byDefault} | ${change} | ${facts?.meaning} |`;
}
