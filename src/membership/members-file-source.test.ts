import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { writeFileAtomic } from '../lifecycle/atomic-write.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { Member } from './member.ts';
import { openMembersFile } from './members-file-source.ts';
import { CURRENT } from './membership-source.ts';

const ONE = '[[member]]\nname = "node-2"\naddress = "node-2.example"\n';
const TWO = `${ONE}[[member]]\nname = "node-3"\naddress = "node-3.example"\n`;

test('a changed file is taken without a restart', async t => {
  const { source, write, names, log } = await open(t, ONE);
  await write(TWO);
  await until('the new member is there', () => names().length === 2);
  assert.deepEqual(names(), ['node-2', 'node-3']);
  assert.deepEqual([source.standing.value, log], [CURRENT, []]);
  await source.close();
});

test('a broken file and a rejected one leave the members alone and are logged; a good one is taken again', async t => {
  const { source, write, names, log } = await open(t, ONE, members => {
    if (members.length === 2) throw new SelvedgeError('usage', 'two are too many', { problem: 'two' });
  });
  const failures = () => log.filter(line => line.event === 'membership.reload_failed');
  await write('[[member]\n');
  await until('the broken file is reported', () => failures().length >= 1);
  const { standing } = source;
  assert.match(standing.value.state === 'frozen' ? standing.value.problem : '', /is not TOML/);
  assert.deepEqual(names(), ['node-2']);
  await write(TWO);
  await until('the rejected file is reported', () => failures().some(line => line.problems === 'two are too many'));
  assert.deepEqual(names(), ['node-2']);
  await write(ONE.replaceAll('node-2', 'node-4'));
  await until('the good file is taken', () => names()[0] === 'node-4');
  await until('it is current again', () => standing.value.state === 'current');
});

test('a file that says again what it said before it was broken is no change', async t => {
  const { write, log } = await open(t, ONE);
  const events = () => log.map(({ event }) => event);
  await write('[[member]\n');
  await until('it is reported', () => events().includes('membership.reload_failed'));
  await write(ONE);
  await until('it is good again', () => events().includes('membership.reload_recovered'));
  assert.ok(!events().includes('membership.changed'));
});

test('the first read fails when the file is broken, or rejected', async t => {
  await assert.rejects(open(t, '[[member]\n'), { code: 'config_invalid' });
  await assert.rejects(
    open(t, ONE, () => {
      throw new SelvedgeError('usage', 'no', { problem: 'no' });
    }),
    { code: 'usage' },
  );
});

async function open(t: TestContext, text: string, check: (members: readonly Member[]) => void = () => {}) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-members-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'members.toml');
  const write = (content: string) => writeFileAtomic(file, content, 0o600);
  await write(text);
  const log: Record<string, unknown>[] = [];
  const logger = createLogger({ write: line => log.push(JSON.parse(line)) });
  const source = await openMembersFile({ file, logger, check });
  t.after(() => source.close());
  return { source, write, log, names: () => source.view.value.members.map(member => member.name) };
}
