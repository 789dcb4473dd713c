import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { loadConfig } from '../config/load-config.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { ReloadReport } from '../node/fabric-node.ts';
import type { FabricNodeOptions } from '../node/node-options.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type DaemonNode, runDaemon } from './run-daemon.ts';

test('SIGTERM drains the node, and the daemon ends with 0', async t => {
  const daemon = await startDaemon(t);
  daemon.signal('SIGTERM');
  assert.equal(await daemon.exitCode, 0);
  assert.deepEqual(daemon.node.calls, ['drain', 'close']);
  assert.equal(daemon.listeners(), 0);
});

test('SIGTERM while the node still starts lets it start and drains it', async t => {
  let start: () => void = () => {};
  const starting = new Promise<void>(resolve => {
    start = resolve;
  });
  const daemon = await startDaemon(t, { starting: () => starting });
  daemon.signal('SIGTERM');
  start();
  assert.equal(await daemon.exitCode, 0);
  assert.deepEqual(daemon.node.calls, ['drain', 'close']);
});

test('a second SIGTERM ends the process at once with 1', async t => {
  const daemon = await startDaemon(t, { isStuck: true });
  daemon.signal('SIGTERM');
  assert.deepEqual(daemon.exits, []);
  daemon.signal('SIGTERM');
  assert.deepEqual(daemon.exits, [1]);
  daemon.node.unstick();
  await daemon.exitCode;
});

test('a node that an operator drained ends the daemon with 0', async t => {
  const daemon = await startDaemon(t);
  daemon.node.closeByOperator();
  assert.equal(await daemon.exitCode, 0);
});

test('what keeps the node from starting is thrown, and nothing stays attached', async t => {
  const failure = new SelvedgeError('address_in_use', 'in use', { address: 'x' });
  const daemon = await startDaemon(t, { starting: () => Promise.reject(failure) });
  await assert.rejects(daemon.exitCode, failure);
  assert.equal(daemon.listeners(), 0);
});

test('SIGHUP reloads credentials although the file is the same', async t => {
  const daemon = await startDaemon(t);
  daemon.signal('SIGHUP');
  await until('the reload', () => daemon.node.reloads.length === 1);
  assert.deepEqual(daemon.node.reloads, [undefined]);
  await until('its line', () => daemon.events('config.reloaded').length === 1);
});

test('a change of the file is taken without a signal', async t => {
  const daemon = await startDaemon(t);
  await daemon.write({ extra: 'log-level = "debug"' });
  await until('the reload', () => daemon.events('config.reloaded').length === 1);
  assert.equal(daemon.node.reloads[0]?.logLevel, 'debug');
  assert.deepEqual(daemon.events('config.reloaded')[0]?.changed, ['log-level']);
});

test('a change that needs a restart is rejected as a whole, naming the keys', async t => {
  const daemon = await startDaemon(t);
  await daemon.write({ nodeName: 'node-2', extra: 'log-level = "debug"' });
  daemon.signal('SIGHUP');
  await until('the rejection', () => daemon.events('config.reload_rejected').length > 0);
  const [rejected] = daemon.events('config.reload_rejected');
  assert.equal(rejected?.reason, 'restart_required');
  assert.deepEqual(rejected?.keys, ['node-name']);
  assert.deepEqual(daemon.node.reloads, []);
});

test('a broken file is rejected with every problem, and the next good one is taken', async t => {
  const daemon = await startDaemon(t);
  await daemon.write({ extra: 'log-levle = "debug"' });
  daemon.signal('SIGHUP');
  await until('the rejection', () => daemon.events('config.reload_rejected').length > 0);
  const [rejected] = daemon.events('config.reload_rejected');
  assert.equal(rejected?.reason, 'config_invalid');
  assert.match(JSON.stringify(rejected?.problems), /log-levle.*log-level/);
  await daemon.write({ extra: 'log-level = "debug"' });
  await until('the reload', () => daemon.node.reloads.at(-1)?.logLevel === 'debug');
});

test('a reload that the node refuses leaves what it runs with: the same change is tried again', async t => {
  const daemon = await startDaemon(t, { refusals: 1 });
  await daemon.write({ extra: 'log-level = "debug"' });
  await until('the rejection', () => daemon.events('config.reload_rejected').length === 1);
  assert.deepEqual(daemon.events('config.reload_rejected')[0]?.problems, ['ca.pem: is empty']);
  daemon.signal('SIGHUP');
  await until('the second try', () => daemon.node.reloads.length >= 2);
  assert.equal(daemon.node.reloads[1]?.logLevel, 'debug');
});

test('a change whose credentials cannot be used yet is tried again by itself, which is said once', async t => {
  // What the start and the watcher see of it may be two.
  const daemon = await startDaemon(t, { refusals: 4 });
  await daemon.write({ extra: 'log-level = "debug"' });
  await until('it is taken', () => daemon.events('config.reloaded').length === 1);
  assert.equal(daemon.events('config.reloaded')[0]?.cause, 'retry');
  assert.deepEqual(new Set(daemon.node.reloads.map(options => options?.logLevel)), new Set(['debug']));
  const causes = daemon.events('config.reload_rejected').map(({ cause }) => cause);
  assert.ok(causes.length > 0 && !causes.includes('retry'), causes.join());
  assert.deepEqual([...new Set(daemon.node.problems)], ['ca.pem: is empty', undefined]);
});

test('options that hold although the credentials are no good are taken', async t => {
  const daemon = await startDaemon(t, {
    report: { result: 'ok', credentials: 'failed', problems: ['ca.pem: is empty'] },
  });
  await daemon.write({ extra: 'log-level = "debug"' });
  await until('the reload', () => daemon.events('config.reloaded').length === 1);
  assert.equal(daemon.events('config.reloaded')[0]?.credentials, 'failed');
  daemon.signal('SIGHUP');
  await until('the second', () => daemon.node.reloads.length === 2);
  assert.equal(daemon.node.reloads[1], undefined, 'nothing of the file is left to be taken');
});

test('values of the file that something else masks are reported', async t => {
  const daemon = await startDaemon(t, { env: { SELVEDGE_NODE_NAME: 'node-9' } });
  assert.deepEqual(daemon.events('config.masked')[0]?.values, [{ key: 'node-name', by: 'SELVEDGE_NODE_NAME' }]);
});

interface DaemonOptions {
  /** The node has started when this resolves. */
  readonly starting?: () => Promise<void>;
  /** Whether draining takes until `unstick`. */
  readonly isStuck?: boolean;
  readonly report?: ReloadReport;
  /** So many reloads find credentials that cannot be used, before one succeeds. */
  readonly refusals?: number;
  readonly env?: Readonly<Record<string, string>>;
}

type Line = Readonly<Record<string, unknown>>;

class FakeNode implements DaemonNode {
  readonly calls: string[] = [];
  readonly reloads: (FabricNodeOptions | undefined)[] = [];
  readonly problems: (string | undefined)[] = [];
  readonly closed: Promise<void>;
  readonly #report: ReloadReport;
  #refusals: number;
  readonly #unstuck: Promise<void>;
  closeByOperator: () => void = () => {};
  unstick: () => void = () => {};

  configurationProblem(problem: string | undefined): void {
    this.problems.push(problem);
  }

  constructor({
    report = { result: 'ok', credentials: 'unchanged', problems: [] },
    isStuck = false,
    refusals = 0,
  }: DaemonOptions) {
    this.#report = report;
    this.#refusals = refusals;
    this.closed = new Promise(resolve => {
      this.closeByOperator = resolve;
    });
    this.#unstuck = new Promise(resolve => {
      this.unstick = resolve;
      if (!isStuck) resolve();
    });
  }

  async reload(next?: FabricNodeOptions): Promise<ReloadReport> {
    this.reloads.push(next);
    this.#refusals -= 1;
    if (this.#refusals >= 0)
      throw new SelvedgeError('credentials_invalid', 'ca.pem: is empty', { file: 'ca.pem', problem: 'is empty' });
    return this.#report;
  }

  drain(): Promise<void> {
    this.calls.push('drain');
    return this.#unstuck;
  }

  async close(): Promise<void> {
    this.calls.push('close');
  }
}

async function startDaemon(t: TestContext, options: DaemonOptions = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-daemon-'));
  const file = join(directory, 'node.toml');
  const write = async ({ nodeName = 'node-1', extra = '' }: { nodeName?: string; extra?: string }) => {
    const text = `cluster-name = "dev"\nnode-name = "${nodeName}"\ndata-dir = "data"\n${extra}\n`;
    await writeFile(`${file}.tmp`, text);
    await rename(`${file}.tmp`, file);
  };
  await write({});
  const sources = { file, env: options.env ?? {}, set: [] };
  const lines: Line[] = [];
  const logger = createLogger({ write: line => lines.push(JSON.parse(line)) });
  const node = new FakeNode(options);
  const exits: number[] = [];
  const signals = new EventEmitter();
  const exit = (code: number) => void exits.push(code);
  let hasStarted = false;
  const startNode = async () => {
    hasStarted = true;
    await options.starting?.();
    return node;
  };
  const process = Object.assign(signals, { exit });
  const loaded = await loadConfig(sources);
  const exitCode = runDaemon({ sources, loaded, logger, startNode, process });
  exitCode.catch(() => {});
  t.after(async () => {
    node.closeByOperator();
    await exitCode.catch(() => {});
    await rm(directory, { recursive: true, force: true });
  });
  await until('the start', () => hasStarted);
  return {
    node,
    exits,
    exitCode,
    write,
    signal: (name: string) => signals.emit(name),
    listeners: () => ['SIGTERM', 'SIGINT', 'SIGHUP'].reduce((sum, name) => sum + signals.listenerCount(name), 0),
    events: (name: string) => lines.filter(({ event }) => event === name),
  };
}
