import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { type FakeWorkloadApi, startWorkloadApi } from '../kit/workload-api.ts';
import { TestCluster } from './test-cluster.ts';

async function spawnWith(t: TestContext, { socketPath }: FakeWorkloadApi, source = 'spiffe'): Promise<Daemon> {
  const cluster = await TestCluster.make(t);
  const tls = {
    source,
    'workload-api-socket': socketPath,
    'cert-file': undefined,
    'key-file': undefined,
    'ca-file': undefined,
  };
  await cluster.writeConfig('node-1', { tls });
  return cluster.spawn('node-1');
}

test('a daemon whose agent is not there ends so that a service manager tries again', async t => {
  const agent = await startWorkloadApi(t);
  await agent.stop();
  const daemon = await spawnWith(t, agent);
  assert.equal(await daemon.exited, 1);
  assert.match(daemon.stderr, /agent\.sock: the agent is away \(UNAVAILABLE/);
});

test('a daemon with the source auto and no agent yet ends so that a service manager tries again', async t => {
  const agent = await startWorkloadApi(t);
  await agent.stop();
  const daemon = await spawnWith(t, agent, 'auto');
  assert.equal(await daemon.exited, 1);
  assert.match(daemon.stderr, /agent\.sock: is missing; .*\/run\/spire\/sockets\/agent\.sock: /);
});

test('a daemon that the agent does not understand ends as one whose configuration is wrong', async t => {
  const agent = await startWorkloadApi(t);
  agent.refuse(grpc.status.INVALID_ARGUMENT, 'security header missing from request');
  const daemon = await spawnWith(t, agent);
  assert.equal(await daemon.exited, 78);
  assert.match(daemon.stderr, /does not take the request/);
});
