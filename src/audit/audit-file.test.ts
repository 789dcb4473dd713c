import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { createLogger } from '../telemetry/logger.ts';
import { AuditFile } from './audit-file.ts';
import { type AuditRecord, recordOfGap, recordOfRefusal } from './audit-record.ts';

const ORIGIN = { nodeName: 'node-1', nodeGeneration: 1, trustGeneration: 1 };

test('records are lines, appended in order to what is there, in a file that is for its owner alone', async t => {
  const { file, open } = await setUp(t);
  const sink = await open();
  for (let number = 1; number <= 2_000; number += 1) sink.write(record(number), false);
  await sink.close();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const again = await open();
  again.write(record(2_001), false);
  await again.close();
  assert.deepEqual(
    await numbersIn(file),
    Array.from({ length: 2_001 }, (_, index) => index + 1),
  );
});

test('a file that was renamed or removed is opened anew for the next record', async t => {
  const { file, open, logged } = await setUp(t);
  const sink = await open();
  sink.write(record(1), false);
  await until('the first', async () => (await numbersIn(file)).length === 1);
  await rename(file, `${file}.1`);
  sink.write(record(2), false);
  await until('the second', async () => (await numbersIn(file)).length === 1);
  await rm(file);
  sink.write(record(3), false);
  await sink.close();
  assert.deepEqual([await numbersIn(`${file}.1`), await numbersIn(file)], [[1], [3]]);
  assert.deepEqual(logged, []);
});

test('to be opened anew takes no record', async t => {
  const { file, open } = await setUp(t);
  const sink = await open();
  await rename(file, `${file}.1`);
  sink.reopen();
  await until('the new file', () => fs.existsSync(file));
  await sink.close();
});

test('what the disk has no room for goes to the log, said once; the file says later how many that were', async t => {
  const { file, open, logged, problems, recorded } = await setUp(t);
  await symlink('/dev/full', file);
  const sink = await open();
  for (const number of [1, 2, 3]) sink.write(record(number), true);
  await until('the log', () => recorded().length === 3);
  sink.write(record(4), false);
  assert.deepEqual(recorded(), [1, 2, 3, 4], 'at once from then on');
  assert.equal(logged.filter(line => line.event === 'audit.failed').length, 1);
  assert.match(problems.at(-1) ?? '', /audit\.jsonl cannot be written: ENOSPC/);

  await rm(file);
  sink.reopen();
  await until('it is written again', () => problems.at(-1) === undefined);
  sink.write(record(5), false);
  await sink.close();
  const [gap, next] = await linesOf(file);
  assert.deepEqual([gap?.kind, gap?.logged, gap?.dropped], ['gap', 4, 0]);
  assert.equal(next?.connection_id, 5);
  assert.equal(logged.at(-1)?.event, 'audit.recovered');
});

test('a file that cannot be written is tried again by itself', async t => {
  const { file, open, problems, recorded } = await setUp(t);
  await symlink('/dev/full', file);
  const sink = await open();
  sink.write(record(1), true);
  await until('the log', () => recorded().length === 1);
  await rm(file);
  await until('it is written again', () => problems.length > 0 && problems.at(-1) === undefined);
  await sink.close();
  assert.equal((await linesOf(file))[0]?.logged, 1);
});

test('a line that was cut short stands in the log, and swallows no other', async t => {
  const { file, open, recorded, problems } = await setUp(t);
  execFileSync('mkfifo', [file]);
  // Whoever opens it for both reads and writes needs nobody at the other end; a pipe holds 64 KiB.
  const reader = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  t.after(() => fs.closeSync(reader));
  const sink = await open();
  for (let number = 1; number <= 400; number += 1) sink.write(record(number), true);
  await until('the pipe is full', () => problems.length > 0);
  const before = drained(reader);
  sink.reopen();
  await until('it is written again', () => problems.at(-1) === undefined);
  await sink.close();
  const lines = (before + drained(reader)).split('\n').filter(line => line !== '');
  const whole = lines.flatMap(line => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
  assert.equal(whole.length, lines.length - 1, 'one line is cut');
  assert.equal(whole.at(-1).kind, 'gap');
  assert.equal(whole.at(-1).logged, recorded().length);
  const inPipe = whole.slice(0, -1).map(({ connection_id }) => connection_id);
  assert.deepEqual(
    [...inPipe, ...recorded()],
    Array.from({ length: 400 }, (_, index) => index + 1),
  );
});

test('beyond what waits for the disk there is no room, but for what must be kept: that goes to the log', async t => {
  const { file, open, recorded } = await setUp(t);
  const sink = await open();
  let written = 0;
  // Nothing is written before the turn ends.
  while (sink.write(record(written + 1), false)) written += 1;
  assert.ok(written >= 10_000 && written < 11_000);
  assert.equal(sink.write(record(99_999), true), true);
  assert.deepEqual(recorded(), [99_999]);
  await sink.close();
  assert.equal((await numbersIn(file)).length, written);
});

test('what comes after the end goes to the log', async t => {
  const { open, recorded } = await setUp(t);
  const sink = await open();
  await sink.close();
  assert.equal(sink.write(record(1), false), true);
  assert.deepEqual(recorded(), [1]);
});

test('what cannot be opened is said when it is opened', async t => {
  const { file, open } = await setUp(t);
  fs.mkdirSync(file);
  await assert.rejects(open(), /EISDIR/);
  fs.rmdirSync(file);
  execFileSync('mkfifo', [file]);
  await assert.rejects(open(), /ENXIO/, 'a pipe without a reader holds nothing up');
});

interface Line {
  readonly kind?: string;
  readonly event?: string;
  readonly connection_id?: number;
  readonly logged?: number;
  readonly dropped?: number;
}

async function setUp(t: TestContext): Promise<{
  file: string;
  open: () => Promise<AuditFile>;
  logged: Line[];
  /** The numbers of the records that are in the log. */
  recorded: () => number[];
  problems: (string | undefined)[];
}> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-audit-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'audit.jsonl');
  const logged: Line[] = [];
  const problems: (string | undefined)[] = [];
  // At a level that leaves out everything else of its kind.
  const logger = createLogger({ level: 'info', write: line => logged.push(JSON.parse(line)) });
  const parts = {
    file,
    logger,
    onProblem: (problem: string | undefined) => void problems.push(problem),
    gap: (facts: { logged: number; sinceMs: number }) => recordOfGap({ dropped: 0, ...facts }, ORIGIN, Date.now()),
  };
  return {
    file,
    open: () => AuditFile.open(parts),
    logged,
    recorded: () => logged.filter(line => line.event === 'audit.record').map(line => line.connection_id ?? 0),
    problems,
  };
}

function record(connectionId: number): AuditRecord {
  const facts = { direction: 'inbound', remoteAddress: '127.0.0.1:1', reason: 'not_a_member', detail: '' } as const;
  return recordOfRefusal({ ...facts, connectionId }, ORIGIN, 0);
}

async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
}

async function numbersIn(file: string): Promise<number[]> {
  return (await linesOf(file)).map(line => line.connection_id ?? 0);
}

/** Everything that a pipe holds. */
function drained(fd: number): string {
  const chunk = Buffer.alloc(70_000);
  let text = '';
  try {
    for (;;) text += chunk.toString('utf8', 0, fs.readSync(fd, chunk));
  } catch (error) {
    assert.match(String(error), /EAGAIN/);
    return text;
  }
}
