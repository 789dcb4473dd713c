import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { FabricNode, type Liveness, type MemberChange } from '../../src/index.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { until } from '../kit/until.ts';
import { closedPort, peerOnce, TestCluster } from './test-cluster.ts';

const HEARTBEAT_MS = 100;
const TIMEOUT_MS = 1_000;
/** A machine that is busy with other things may hold a member suspect for as long as it remembers suspicions. */
const DEADLINE_MS = 60_000;

/** A node in this process that watches a daemon, and all that it was told of it. */
class Observed {
  readonly changes: MemberChange[] = [];
  readonly node: FabricNode;
  readonly #cluster: TestCluster;
  readonly #port: number;
  daemon: Daemon;

  static async start(t: TestContext): Promise<Observed> {
    const cluster = await TestCluster.make(t);
    const port = await closedPort();
    const options = await cluster.nodeOptions('node-1', 'strict', [['node-2', `127.0.0.1:${port}`]]);
    const networking = { ...options.networking, heartbeatIntervalMs: HEARTBEAT_MS, heartbeatTimeoutMs: TIMEOUT_MS };
    const node = await FabricNode.start({ ...options, networking }, { logger: createLogger({ level: 'silent' }) });
    t.after(() => node.close());
    return new Observed(cluster, port, node, await daemonAt(cluster, port));
  }

  private constructor(cluster: TestCluster, port: number, node: FabricNode, daemon: Daemon) {
    this.#cluster = cluster;
    this.#port = port;
    this.node = node;
    this.daemon = daemon;
    node.members.subscribe(change => this.changes.push(change));
  }

  async restart(): Promise<void> {
    this.daemon = await daemonAt(this.#cluster, this.#port);
  }

  get liveness(): Liveness | undefined {
    return this.node.members.get('node-2')?.liveness;
  }

  /** The liveness as soon as it is this one. */
  async once(state: Liveness['state'], matches: (liveness: Liveness) => boolean = () => true): Promise<Liveness> {
    let found: Liveness | undefined;
    await until(
      `node-2 is ${state}`,
      () => {
        found = this.liveness;
        return found?.state === state && matches(found);
      },
      DEADLINE_MS,
    );
    assert.ok(found !== undefined);
    return found;
  }
}

function daemonAt(cluster: TestCluster, port: number): Promise<Daemon> {
  return cluster.start('node-2', {
    networking: {
      'bind-address': `127.0.0.1:${port}`,
      'heartbeat-interval': `${HEARTBEAT_MS}ms`,
      'heartbeat-timeout': `${TIMEOUT_MS}ms`,
      'drain-timeout': '1s',
    },
  });
}

test('a daemon that is stopped, continued, killed, started again and drained, as another node sees it', async t => {
  const seen = await Observed.start(t);
  const { generation } = await seen.once('alive');

  await t.test('each pause makes it suspect, and it has to be heard for longer after each', async () => {
    for (const pause of [1, 2]) {
      seen.daemon.signal('SIGSTOP');
      const suspect = await seen.once('suspect');
      seen.daemon.signal('SIGCONT');
      const alive = await seen.once('alive');
      assert.deepEqual([alive.reason, alive.generation], ['recovered', generation]);
      const tookMs = Number(alive.since) - Number(suspect.since);
      assert.ok(tookMs >= HEARTBEAT_MS * 2 ** pause - 5, `pause ${pause}: alive again after ${tookMs} ms`);
    }
  });

  await t.test('stopped for longer it is dead, and back by way of a suspicion', async () => {
    seen.daemon.signal('SIGSTOP');
    assert.equal((await seen.once('dead')).generation, generation);
    const peer = await peerOnce(seen.node, 'node-2', each => each.liveness === 'dead');
    assert.equal(peer.livenessSinceMs, Number(seen.liveness?.since));
    const since = seen.changes.length;
    seen.daemon.signal('SIGCONT');
    assert.equal((await seen.once('alive')).generation, generation);
    assert.equal(seen.changes[since]?.to?.reason, 'recovering');
  });

  await t.test('killed it is dead by way of a suspicion; a new process is alive at once', async () => {
    seen.daemon.signal('SIGKILL');
    await seen.once('dead');
    await seen.restart();
    const alive = await seen.once('alive');
    assert.equal(seen.changes.find(({ to }) => to?.reason === 'restarted')?.from?.state, 'dead');
    assert.ok(Number(alive.generation) > Number(generation));
  });

  await t.test('drained it says so, and is dead at its goodbye', async () => {
    assert.equal(await seen.daemon.stop(), 0);
    assert.equal((await seen.once('dead')).reason, 'node_draining');
    assert.equal(seen.changes.at(-1)?.from?.state, 'draining');
  });

  await t.test('every change was told, each from where the last one led', () => {
    assert.equal(new Set(seen.changes.map(({ node }) => node)).size, 1);
    for (const [index, { from }] of seen.changes.entries())
      if (index > 0) assert.equal(from?.state, seen.changes[index - 1]?.to?.state);
    for (const { from, to } of seen.changes) {
      if (to?.state === 'dead') assert.ok(['suspect', 'draining'].includes(String(from?.state)));
      if (to?.state === 'alive' && from?.state === 'dead') assert.notEqual(to.generation, from.generation);
    }
  });
});
