import assert from 'node:assert/strict';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import type { CaStep } from '../../src/dev-pki/ca-step.ts';
import type { CaRotation } from '../../src/dev-pki/rotate-ca.ts';
import { type ProgramRun, runCtl } from '../cli/programs.ts';
import { until } from '../kit/until.ts';
import { askLocally, peerOnce, TestCluster } from './test-cluster.ts';

const NAMES = ['node-1', 'node-2', 'node-3'] as const;
/** Its files are copies in a directory of its own, which follow only when they are copied again. */
const LAGGARD = 'node-3';

interface Answer {
  readonly safe: boolean;
  readonly obstacles: readonly { readonly node_name: string; readonly reason: string }[];
}

interface Root {
  readonly fingerprint_sha256: string;
  readonly trusted_as_server: number;
  readonly trusted_as_client: number;
  readonly presented: number;
}

test('a CA is replaced step by step, and ca status says when the next one is safe and who lags', async t => {
  const cluster = await TestCluster.make(t);
  const dir = cluster.path('certs');
  const ports = await freePorts(NAMES.length);
  const members = NAMES.map((name, index) => [name, `127.0.0.1:${ports[index]}`] as const);
  const copy = async (...files: readonly string[]) => {
    for (const file of files) {
      const target = cluster.path('copies', file);
      await copyFile(join(dir, file), `${target}.tmp`);
      await rename(`${target}.tmp`, target);
    }
  };
  await mkdir(cluster.path('copies'));
  for (const name of NAMES) await cluster.issue(name);
  await copy('ca.pem', `${LAGGARD}.pem`, `${LAGGARD}.key`);
  const copies = {
    'cert-file': `copies/${LAGGARD}.pem`,
    'key-file': `copies/${LAGGARD}.key`,
    'ca-file': 'copies/ca.pem',
  };
  const [node1, node2, node3] = await Promise.all(
    NAMES.map((name, index) =>
      cluster.start(name, {
        members,
        networking: { 'bind-address': `127.0.0.1:${ports[index]}` },
        ...(name === LAGGARD ? { tls: copies } : {}),
      }),
    ),
  );
  assert.ok(node1 && node2 && node3);
  const allConnected = async () => {
    for (const daemon of [node1, node2, node3]) {
      for (const name of NAMES) if (name !== daemon.ready.node) await peerOnce(daemon, name, isConnected);
    }
  };

  const rotate = async (step: CaStep): Promise<CaRotation> => {
    const run = await runCtl(['certs', 'rotate', 'ca', '--dir', dir, '--step', step, '-o', 'json']);
    assert.equal(run.exitCode, 0, run.stderr);
    return JSON.parse(run.stdout);
  };
  const ctl = (...args: readonly string[]): Promise<ProgramRun> =>
    runCtl(['ca', 'status', '--config', cluster.path('node-1.toml'), '-o', 'json', '--timeout', '30s', ...args]);
  const roots = async (): Promise<readonly Root[]> => JSON.parse((await ctl()).stdout).roots;
  /** Asks until the answer is `exitCode` with exactly these members in the way. */
  const answers = async (step: string, fingerprint: string, exitCode: number, names: readonly string[]) => {
    let last: ProgramRun | undefined;
    let answer: Answer | undefined;
    try {
      await until(`${step} ${exitCode}`, async () => {
        last = await ctl('--safe-to', step, '--root', fingerprint.slice(0, 16));
        // A root that no member has read yet is a usage error.
        if (last.exitCode === 2) return false;
        answer = JSON.parse(last.stdout);
        const inTheWay = answer?.obstacles.map(({ node_name }) => node_name);
        return last.exitCode === exitCode && JSON.stringify(inTheWay) === JSON.stringify(names);
      });
    } catch (error) {
      throw new Error(`the last answer was ${JSON.stringify(last)}`, { cause: error });
    }
    assert.equal(answer?.safe, exitCode === 0);
    return answer.obstacles;
  };

  await allConnected();
  const [before, ...more] = await roots();
  assert.ok(before !== undefined && more.length === 0);
  assert.deepEqual([before.trusted_as_server, before.trusted_as_client, before.presented], [3, 3, 3]);
  const old = before.fingerprint_sha256;

  const [added] = (await rotate('add')).others;
  assert.ok(added !== undefined);
  const next = added.fingerprint;
  const lagging = await answers('switch', next, 3, [LAGGARD]);
  assert.equal(lagging[0]?.reason, 'does not trust it as server, client');
  await answers('drop', old, 3, NAMES);
  await copy('ca.pem');
  await answers('switch', next, 0, []);

  assert.equal((await rotate('switch')).signing.fingerprint, next);
  const presenting = await answers('drop', old, 3, [LAGGARD]);
  assert.equal(presenting[0]?.reason, 'presents a certificate of it as server, client');
  await copy(`${LAGGARD}.pem`, `${LAGGARD}.key`);
  await answers('drop', old, 0, []);

  // As long as both roots are trusted, nobody is turned away.
  for (const daemon of [node1, node2, node3])
    assert.ok(!daemon.lines.some(({ event }) => event === 'connection.refused'), daemon.ready.node);
  assert.equal((await rotate('drop')).dropped[0]?.fingerprint, old);
  await copy('ca.pem');
  await until('one root', async () => (await roots()).length === 1);
  const [after] = await roots();
  assert.deepEqual(
    [after?.fingerprint_sha256, after?.trusted_as_server, after?.trusted_as_client, after?.presented],
    [next, 3, 3, 3],
  );
  await allConnected();
  for (const daemon of [node1, node2, node3])
    assert.deepEqual((await askLocally(daemon, 'GetStatus')).problems, [], daemon.ready.node);

  await node3.stop();
  const silent = await answers('switch', next, 3, [LAGGARD]);
  assert.match(silent[0]?.reason ?? '', /^did not answer: /);
});

function isConnected({ state, security }: { readonly state: string; readonly security: string }): boolean {
  return state === 'connected' && security === 'mutual_tls';
}
