import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLogger } from '../telemetry/logger.ts';
import type { TlsMemory } from './tls-memory.ts';
import { openTlsMemory, TLS_MEMORY_FORMAT } from './tls-memory-file.ts';

const { parse, serialize } = TLS_MEMORY_FORMAT;
const MEMORY: TlsMemory = new Map([
  ['node-2', { entry: ['node-2.example:5122'], generation: 7, permitted: false }],
  ['node-3', { entry: ['http://node-3.example:5122'], generation: 8, permitted: true }],
]);

test('a memory outlives the process, in a file of mode 0600', async t => {
  const { file, open } = await setUp(t);
  const first = await open();
  assert.deepEqual([first.value.value.size, first.problem], [0, undefined], 'a file that is missing is no problem');
  first.value.set(MEMORY);
  await first.close();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual((await open()).value.value, MEMORY);
});

test('what is set while the file is written is written too', async t => {
  const { open } = await setUp(t);
  const kept = await open();
  kept.value.set(MEMORY);
  await new Promise(resolve => setImmediate(resolve));
  kept.value.set(new Map([...MEMORY].slice(1)));
  await kept.close();
  assert.deepEqual([...(await open()).value.value.keys()], ['node-3']);
});

test('nonsense is an error in the log and an empty memory, and the file stays as it is until there is more to keep', async t => {
  const { file, open, events } = await setUp(t);
  await writeFile(file, '{"version":1,"members":{"node-2":{"entry":"x"}}}');
  const kept = await open();
  assert.equal(kept.value.value.size, 0);
  assert.match(kept.problem ?? '', /cannot be understood/);
  assert.deepEqual(events, ['membership.memory_rejected']);
  await kept.close();
  assert.match(await readFile(file, 'utf8'), /"entry":"x"/);
});

test('a file that cannot be written is an error in the log, and the node goes on', async t => {
  const { directory, open, events } = await setUp(t);
  const kept = await open();
  await rm(directory, { recursive: true });
  kept.value.set(MEMORY);
  await kept.close();
  assert.ok(events.includes('membership.memory_not_saved'));
  assert.equal(kept.value.value, MEMORY);
});

test('a file is understood whole or not at all', () => {
  assert.deepEqual(parse(serialize(MEMORY)), { value: MEMORY });
  const good = { entry: ['a:1'], generation: 1, permitted: false };
  const texts = [
    '',
    'null',
    '[]',
    '{"version":1}',
    '{"version":2,"members":{}}',
    JSON.stringify({ version: 1, members: { 'no name': good } }),
    ...[{ entry: [1] }, { generation: 0 }, { generation: '1' }, { permitted: 1 }].map(wrong =>
      JSON.stringify({ version: 1, members: { 'node-2': good, 'node-3': { ...good, ...wrong } } }),
    ),
  ];
  for (const text of texts) assert.ok('problem' in parse(text), text);
});

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-memory-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'members-with-tls.json');
  const events: string[] = [];
  const logger = createLogger({ write: line => events.push(JSON.parse(line).event) });
  const open = () => openTlsMemory(file, logger);
  return { directory, file, open, events };
}
