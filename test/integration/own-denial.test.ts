import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { FabricNode } from '../../src/node/fabric-node.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { makeCredentialDirectory } from '../kit/credential-directory.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

test('a deny list that comes to name the own certificate is taken, told once, and shown until one of them changes', async t => {
  const credentials = await makeCredentialDirectory(t, { request: { commonName: 'node-1', uris: ['spiffe://dev/1'] } });
  const dataDir = await mkdtemp(join(tmpdir(), 'selvedge-own-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const log: LogLine[] = [];
  const told = () => log.filter(({ event }) => event === 'credentials.own_denied');
  const options = (deniedCertificates: string[]) => ({
    clusterName: 'dev',
    nodeName: 'node-1',
    dataDir,
    networking: {
      bindAddress: '127.0.0.1:0',
      tls: { ...credentials.files, allowedSubjectNames: ['*'], deniedCertificates },
    },
  });
  const logger = createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) });
  await using node = await FabricNode.start(options([]), { logger });
  const client = new grpc.Client(node.ready.admin, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const status = () => callUnary(client, nodeControl, 'GetStatus', {}, { timeoutMs: 20_000 });
  assert.deepEqual((await status()).problems, []);

  assert.equal((await node.reload(options(['uri:spiffe://dev/1']))).result, 'ok');
  await node.reload(options(['uri:spiffe://dev/1', 'serial:01']));
  assert.equal(told().length, 1);
  const problem =
    'uri:spiffe://dev/1 is the server certificate of this node itself; nodes with the same list refuse it';
  assert.equal(told()[0]?.problem, problem);
  assert.deepEqual((await status()).problems, [`denied-certificates: ${problem}`]);

  await credentials.renew({ commonName: 'node-1', uris: ['spiffe://dev/renewed'] });
  await until(
    'the renewed certificate is shown, which nobody denies',
    async () => (await status()).problems.length === 0,
  );
  assert.equal(told().length, 1);
});

test('a node whose own rules would not admit it says so at its start, and runs', async t => {
  const credentials = await makeCredentialDirectory(t, { request: { commonName: 'node-1', uris: ['spiffe://dev/1'] } });
  const dataDir = await mkdtemp(join(tmpdir(), 'selvedge-own-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const log: LogLine[] = [];
  const logger = createLogger({ write: line => log.push(JSON.parse(line)) });
  const tls = {
    ...credentials.files,
    allowedSubjectNames: ['uri:spiffe://dev/2'],
    nodeIdentity: 'uri:spiffe://dev/{node-name}',
  };
  const networking = { bindAddress: '127.0.0.1:0', tls };
  await using node = await FabricNode.start(
    { clusterName: 'dev', nodeName: 'node-1', dataDir, networking },
    { logger },
  );
  assert.equal(node.ready.node, 'node-1');
  const told = log.filter(({ event }) => event === 'credentials.own_not_allowed').map(({ problem }) => String(problem));
  assert.match(told[0] ?? '', /allowed-subject-names does not match/);
  assert.match(
    told[1] ?? '',
    /prove uri:spiffe:\/\/dev\/node-1, which its server certificate, which bears .*, does not/,
  );
  assert.equal(told.length, 2);
});
