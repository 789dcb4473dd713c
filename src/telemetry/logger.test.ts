import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createLogger, type LoggerOptions, printable, silentLogger } from './logger.ts';

test('a line is one JSON object with event, level by name, ISO time and the fields', () => {
  const { logger, lines } = collect();
  logger.warn('connection.refused', { reason: 'unknown_ca' }, 'why');
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^\{[^\n]*\}\n$/);
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(rest, { level: 'warn', event: 'connection.refused', reason: 'unknown_ca', msg: 'why' });
  assert.equal(new Date(time).toISOString(), time);
});

test('nothing of the process or the machine is added', () => {
  const { logger, lines } = collect();
  logger.info('node.ready');
  assert.deepEqual(Object.keys(JSON.parse(lines[0] ?? '')).toSorted(), ['event', 'level', 'time']);
});

test('what is below the level is left out, and the level can change', () => {
  const { logger, lines } = collect({ level: 'warn' });
  logger.info('a');
  logger.error('b');
  logger.setLevel('debug');
  logger.debug('c');
  logger.setLevel('silent');
  logger.error('d');
  assert.deepEqual(events(lines), ['b', 'c']);
});

test('by default debug lines are left out', () => {
  const { logger, lines } = collect();
  logger.debug('a');
  logger.info('b');
  assert.deepEqual(events(lines), ['b']);
});

test('a child adds its fields and follows the level of its parent', () => {
  const { logger, lines } = collect();
  const child = logger.child({ node: 'node-2' }).child({ part: 'x' });
  child.debug('left out');
  logger.setLevel('debug');
  child.debug('there');
  assert.deepEqual(events(lines), ['there']);
  assert.equal(JSON.parse(lines[0] ?? '').node, 'node-2');
  assert.equal(JSON.parse(lines[0] ?? '').part, 'x');
});

test('the silent logger writes nothing, whatever level it is told', t => {
  const written = [t.mock.method(fs, 'writeSync'), t.mock.method(fs, 'write')];
  silentLogger.setLevel('debug');
  silentLogger.error('a');
  silentLogger.child({}).error('b');
  silentLogger.setLevel('silent');
  for (const { mock } of written) assert.equal(mock.callCount(), 0);
});

test('printable text stays as it is', () => {
  const text = 'CN=Zoë, O=Ünïcode — "quoted" 漢字 🔐';
  assert.equal(printable(text), text);
});

test('no control character, line break or change of direction survives', () => {
  const hostile = [0x00, 0x07, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b, 0x2028, 0x2029, 0x202e, 0x2066, 0x2069];
  for (const code of hostile) {
    const shown = printable(`a${String.fromCharCode(code)}b`);
    assert.equal(shown, `a\\u${code.toString(16).padStart(4, '0')}b`);
  }
});

test('text is cut at the longest length, and says so', () => {
  assert.equal(printable('x'.repeat(200)), 'x'.repeat(200));
  assert.equal(printable('x'.repeat(201)), `${'x'.repeat(200)}…`);
  assert.equal(printable('abcdef', 3), 'abc…');
});

function collect(options: LoggerOptions = {}) {
  const lines: string[] = [];
  return { logger: createLogger({ ...options, write: line => void lines.push(line) }), lines };
}

function events(lines: readonly string[]): readonly string[] {
  return lines.map(line => JSON.parse(line).event);
}

test('a full disk stops nobody who writes a line', async () => {
  // Whatever is written there finds no space (Linux).
  const full = await open('/dev/full', 'w');
  const script = `
    const { createLogger } = await import(${JSON.stringify(new URL('logger.ts', import.meta.url).href)});
    for (const pretty of [false, true]) {
      const logger = createLogger({ pretty });
      for (let line = 0; line < 3; line += 1) logger.warn('connection.refused');
    }
    process.stderr.write('all are written');
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', full.fd, 'pipe'],
  });
  assert.equal(await text(child.stderr ?? assert.fail()), 'all are written');
  await full.close();
});
