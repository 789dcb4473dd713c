import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CONFIG_KEYS } from './config-keys.ts';
import { loadConfig } from './load-config.ts';

const ANNOTATED = fileURLToPath(new URL('../../cluster-config/annotated.toml', import.meta.url));

test('the annotated configuration loads as it stands, without a warning', async () => {
  const { settings, warnings, masked } = await loadConfig({ file: ANNOTATED, env: {}, set: [] });
  assert.equal(settings.mode, 'strict');
  assert.deepEqual([warnings, masked], [[], []]);
});

test('it loads with every setting that is left out written in', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-annotated-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'node.toml');
  await writeFile(file, withEverySetting(await readFile(ANNOTATED, 'utf8')));
  const { settings } = await loadConfig({ file, env: {}, set: [] });
  assert.equal(settings.tls?.profiles.length, 1);
});

test('it names every key, and shows a default as what it is', async () => {
  const shown = settingsOf(withAlternatives(withEverySetting(await readFile(ANNOTATED, 'utf8'))));
  assert.deepEqual([...shown.keys()].toSorted(), CONFIG_KEYS.map(({ key }) => key).toSorted());

  const leftOut = leftOutOf(await readFile(ANNOTATED, 'utf8'));
  for (const { key, field } of CONFIG_KEYS) {
    const byDefault = field.value?.facts.default;
    if (byDefault === undefined || !leftOut.has(key)) continue;
    assert.equal(leftOut.get(key), byDefault, key);
  }
});

test('a default that is written out means what it means to leave it out', async () => {
  const { settings } = await loadConfig({ file: ANNOTATED, env: {}, set: [] });
  const leftOut = leftOutOf(await readFile(ANNOTATED, 'utf8'));
  const withDefaults = CONFIG_KEYS.filter(
    ({ key, field }) => field.value?.facts.default !== undefined && leftOut.has(key),
  );
  assert.ok(withDefaults.length > 20);
  for (const { key, field } of withDefaults) {
    const assignment = `${key}=${field.value?.facts.default}`;
    const withIt = await loadConfig({ file: ANNOTATED, env: {}, set: [assignment] });
    assert.equal(JSON.stringify(withIt.settings), JSON.stringify(settings), assignment);
  }
});

function withEverySetting(source: string): string {
  return source.replace(/^#(?=[a-z[])/gm, '');
}

/** Settings that stand instead of others, and not beside them. */
function withAlternatives(source: string): string {
  return source.replace(/^#\|(?=[a-z[])/gm, '');
}

function leftOutOf(source: string): ReadonlyMap<string, string> {
  const written = settingsOf(source);
  return new Map([...settingsOf(withEverySetting(source))].filter(([key]) => !written.has(key)));
}

/** One setting a line is all that the annotated file needs. */
function settingsOf(source: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  let table = '';
  for (const line of source.split('\n')) {
    const [, header] = /^\[+([a-z.]+)\]+$/.exec(line) ?? [];
    if (header !== undefined) table = `${header}.`;
    const [, key, value] = /^([a-z-]+) = (.+)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) settings.set(table + key, value);
  }
  return settings;
}
