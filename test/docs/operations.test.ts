import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { beginOfLevel, EXPIRY_LEVELS } from '../../src/credentials/expiry.ts';
import { REFUSAL_REASONS } from '../../src/errors/refusal-reason.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { readSourceFiles } from '../architecture/source-files.ts';
import { PROJECT } from './tracked-files.ts';

const text = readFileSync(join(PROJECT, 'docs/operations.md'), 'utf8');

const UNITS_MS: Readonly<Record<string, number>> = { day: 86_400_000, hour: 3_600_000, minute: 60_000 };

test('docs/operations.md names no metric that is not there', async () => {
  const exposed = await createMetrics().expose();
  const known = new Set([...exposed.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
  const named = [...text.matchAll(/\bselvedge_[a-z_]+/g)].map(([name]) => name);
  assert.ok(named.length > 5);
  assert.deepEqual(
    named.filter(name => !known.has(name)),
    [],
  );
});

test('the table of metrics holds all there are, with their types', async () => {
  const exposed = await createMetrics().expose();
  const known = [...exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const section = text.split('\n## Metrics\n')[1]?.split('\n## ')[0] ?? '';
  const listed = [...section.matchAll(/^\| `(\w+)` +\| (\w+) /gm)].map(([, name, type]) => `${name} ${type}`);
  assert.deepEqual(listed.toSorted(), known.toSorted());
});

test('the table of events holds all that are logged, and no other', () => {
  const section = text.split('\n## Events\n')[1]?.split('\n## ')[0] ?? '';
  const events = section.split('\n').flatMap(row => row.split('|')[1]?.match(/[a-z]+\.[a-z_]+/g) ?? []);
  // One call builds its event from a state.
  const logged = new Set(['peer.refused', 'peer.unreachable']);
  for (const { text: source } of readSourceFiles())
    for (const [, words = ''] of source.matchAll(/(?:\.(?:trace|debug|info|warn|error)|\])\(([^,)]*'[^,)]*)[,)]/g))
      for (const [, event = ''] of words.matchAll(/'([a-z]+\.[a-z_]+)'/g)) logged.add(event);
  assert.ok(logged.size > 30);
  assert.deepEqual(events.toSorted(), [...logged].toSorted());
});

test('docs/operations.md says of every refusal reason what to do about it', () => {
  const incidents = text.split('\n## Incidents\n')[1]?.split('\n## ')[0] ?? '';
  const words = new Set(incidents.match(/[a-z]+(_[a-z]+)+/g));
  assert.deepEqual(
    REFUSAL_REASONS.filter(reason => !words.has(reason)),
    [],
  );
});

test('the table of expiry levels is what the code does', () => {
  const section = text.split('\n### Expiry\n')[1]?.split('\n### ')[0] ?? '';
  const rows = section.split('\n').filter(line => line.startsWith('|'));
  const [headings = [], , ...levels] = rows.map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  );
  assert.deepEqual(
    levels.map(([level]) => level?.replaceAll('`', '')),
    EXPIRY_LEVELS,
  );
  for (const [column, heading] of headings.entries()) {
    if (!heading.startsWith('at ')) continue;
    const lifetimeMs = durationMs(heading.slice(3));
    const validity = { notBefore: new Date(0), notAfter: new Date(lifetimeMs - 1_000) };
    for (const [index, level] of EXPIRY_LEVELS.entries()) {
      const leftMs = lifetimeMs - beginOfLevel(validity, level);
      assert.equal(durationMs(levels[index]?.[column] ?? ''), leftMs, `${level} ${heading}`);
    }
  }
});

/** `30 days`, `one hour`; empty for nothing. */
function durationMs(words: string): number {
  if (words === '') return 0;
  const [count = '', unit = ''] = words.split(' ');
  return (count === 'one' ? 1 : Number(count)) * (UNITS_MS[unit.replace(/s$/, '')] ?? Number.NaN);
}
