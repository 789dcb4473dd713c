import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { programOf } from '../../scripts/kit/programs.ts';
import { until } from '../kit/until.ts';
import { makeConfiguredNode } from './configured-node.ts';
import { runCtl, spawnProgram } from './programs.ts';

test('a daemon says when it serves, guards its data directory, rejects what needs a restart, and ends when drained', async t => {
  const node = await makeConfiguredNode(t);
  const daemon = startDaemon(t, ['run', '--config', node.config]);
  await until('node.ready', () => daemon.find('node.ready') !== undefined);
  const ready = daemon.find('node.ready');
  assert.equal(ready?.node, 'node-1');
  assert.match(JSON.stringify(ready?.fabric), /^\["https:\/\/127\.0\.0\.1:[1-9]\d*"\]$/);

  const second = await spawnProgram('selvedge', ['run', '--config', node.config]);
  assert.equal(second.exitCode, 1);
  assert.match(second.stderr, /^selvedge: .*in use/m);
  assert.ok(!second.stderr.includes('    at '));

  await node.writeConfig({ '"node-1"': '"node-7"' });
  await until('the rejection', () => daemon.find('config.reload_rejected') !== undefined);
  assert.deepEqual(daemon.find('config.reload_rejected')?.keys, ['node-name']);

  await node.writeConfig();
  const { stdout, exitCode } = await runCtl(['drain', '--config', node.config]);
  assert.deepEqual({ stdout, exitCode }, { stdout: 'draining\n', exitCode: 0 });
  assert.equal(await daemon.exitCode, 0);
});

test('SIGHUP reloads and SIGTERM ends a daemon with 0', async t => {
  const node = await makeConfiguredNode(t);
  const daemon = startDaemon(t, ['run', '--config', node.config, '--set', 'networking.tls.mode=optional']);
  await until('node.ready', () => daemon.find('node.ready') !== undefined);
  assert.equal(daemon.find('node.ready')?.mode, 'optional');
  assert.deepEqual(daemon.find('config.masked')?.values, [{ key: 'networking.tls.mode', by: '--set' }]);
  daemon.process.kill('SIGHUP');
  await until('the reload', () => daemon.find('config.reloaded') !== undefined);
  daemon.process.kill('SIGTERM');
  assert.equal(await daemon.exitCode, 0);
  assert.equal(daemon.stderr(), '');
});

type Line = Readonly<Record<string, unknown>>;

interface Daemon {
  readonly process: ChildProcess;
  readonly exitCode: Promise<number | null>;
  /** The first log line of an event so far. */
  find(event: string): Line | undefined;
  stderr(): string;
}

function startDaemon(t: TestContext, args: readonly string[]): Daemon {
  const env = { PATH: process.env.PATH ?? '' };
  const child = spawn(process.execPath, [...programOf('selvedge'), ...args], { env });
  const lines: Line[] = [];
  let stderr = '';
  createInterface(child.stdout).on('line', line => lines.push(JSON.parse(line)));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exitCode = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  t.after(async () => {
    child.kill('SIGKILL');
    await exitCode;
  });
  return {
    process: child,
    exitCode,
    find: event => lines.find(line => line.event === event),
    stderr: () => stderr,
  };
}
