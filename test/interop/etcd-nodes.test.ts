// Nodes that know each other by etcd alone.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { isSelvedgeError } from '../../src/errors/selvedge-error.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { LOOPBACK_NAMES } from '../kit/bare-grpc.ts';
import { makeCredentialDirectory } from '../kit/credential-directory.ts';
import { echo, echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';
import { EtcdAdmin, etcdChannel, nodePermissions, startEtcd } from './etcd.ts';
import { needsUnguarded, whyNoEtcd } from './etcd-binary.ts';

let whyNot = '';
before(async () => {
  whyNot = await whyNoEtcd();
});

const PREFIX = '/selvedge/dev/';

test('nodes find each other by etcd, with the credentials of the fabric, and keep each other without it', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const allowUnguarded = await needsUnguarded(t);
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-etcd-nodes-'));
  const authority = await createAuthority();
  const issue = (commonName: string) =>
    makeCredentialDirectory(t, { authority, request: { commonName, ...LOOPBACK_NAMES } });
  const etcd = await startEtcd(directory, { credentials: await issue('etcd') });
  const nodes = new Map<string, FabricNode>();
  t.after(async () => {
    for (const node of nodes.values()) await node.close();
    await etcd.stop();
    await rm(directory, { recursive: true });
  });
  const admin = new EtcdAdmin(await etcdChannel(t, etcd.port, await issue('root')));
  const names = ['node-1', 'node-2', 'node-3'];
  for (const name of names) await admin.addUser(name, nodePermissions(PREFIX, name));
  await admin.enableAuth();
  const log: LogLine[] = [];
  const start = async (nodeName: string, dataDir = nodeName) => {
    const credentials = await issue(nodeName);
    const { certFile, keyFile, caFiles } = credentials.files;
    const node = await FabricNode.start(
      {
        clusterName: 'dev',
        nodeName,
        dataDir: join(directory, dataDir),
        networking: {
          bindAddress: '127.0.0.1:0',
          tls: { mode: 'strict', certFile, keyFile, caFiles, allowedSubjectNames: ['*'], canary: false },
        },
        membership: {
          source: 'etcd',
          etcd: {
            endpoints: [etcd.endpoint],
            leaseTtlMs: 5_000,
            requestTimeoutMs: 2_000,
            leave: 'when-drained',
            allowUnguarded,
          },
        },
      },
      {
        logger: createLogger({ write: line => log.push({ ...JSON.parse(line), of: nodeName }) }),
        services: [{ definition: echoDefinition, implementation: echoImplementation }],
      },
    );
    return { node, credentials };
  };
  const started = await Promise.all(names.map(async name => ({ name, ...(await start(name)) })));
  for (const { name, node } of started) nodes.set(name, node);
  const everybodySees = async () => {
    for (const [name, node] of nodes) {
      const expected = [...nodes.keys()].filter(other => other !== name).sort();
      await until(`${name} sees ${expected}`, () => {
        const seen = node.members.all.filter(({ stream }) => stream === 'connected').map(({ name: other }) => other);
        return JSON.stringify(seen.sort()) === JSON.stringify(expected);
      });
      for (const other of expected) {
        const client = node.client(grpc.Client, other);
        assert.equal(await echo(client, 'x'), 'x', `${name} calls ${other}`);
        client.close();
      }
    }
  };
  await everybodySees();
  await assert.rejects(start('node-1', 'a copy of node-1'), error => isSelvedgeError(error, 'node_name_held'));

  await etcd.kill();
  const events = (event: string) => log.filter(line => line.event === event).map(line => line.of);
  await until('all are frozen', () => names.every(name => events('membership.frozen').includes(name)));
  await everybodySees();
  const [first] = started;
  await first?.credentials.renew({ commonName: 'node-1', ...LOOPBACK_NAMES });
  await etcd.start();
  await until('all are current', () => names.every(name => events('membership.recovered').includes(name)));
  await everybodySees();

  await admin.put(`${PREFIX}members/node-3`, { state: 'removed', by: 'ops', atMs: 1 });
  await until('it is none any more', () => nodes.get('node-1')?.members.get('node-3') === undefined);
  await nodes.get('node-3')?.close();
  nodes.delete('node-3');
  await assert.rejects(start('node-3'), error => isSelvedgeError(error, 'member_removed'));
  await everybodySees();

  await nodes.get('node-2')?.drain();
  nodes.delete('node-2');
  await until('who drained has left', () => nodes.get('node-1')?.members.get('node-2') === undefined);
  assert.deepEqual(events('membership.not_registered'), []);
});
