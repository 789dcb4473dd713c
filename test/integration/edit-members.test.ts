// What a node with a members file answers to who wants to change the members.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type AuditRecord, createLogger, FabricNode } from '../../src/index.ts';
import { clusterControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { bareClient } from '../kit/bare-grpc.ts';
import { until } from '../kit/until.ts';

const SERVICE = '/selvedge.control.v1.ClusterControl';
const NODE_4 = { nodeName: 'node-4', addresses: ['127.0.0.1:4'], labels: { role: 'worker' }, zone: 'eu-1b', weight: 3 };

test('what to edit is answered, works as it stands, and is then done; all of it is in the audit trail', async t => {
  const { file, admin, records, log, entry } = await start(t);
  const instructions = await problemOf(callUnary(admin, clusterControl, 'AddNode', NODE_4));
  const [first = '', ...lines] = instructions.split('\n');
  assert.equal(first, `Add these lines to ${file} on every node:`);
  await writeFile(file, `${await readFile(file, 'utf8')}${lines.join('\n')}\n`);
  await until('the new member is there', async () => (await entry('node-4')) !== undefined);
  const { membershipState, labels, zone, weight } = (await entry('node-4')) ?? assert.fail();
  assert.deepEqual([membershipState, labels, zone, weight], ['active', NODE_4.labels, 'eu-1b', 3]);

  assert.deepEqual(await callUnary(admin, clusterControl, 'AddNode', NODE_4), {
    nodeName: 'node-4',
    membershipState: 'active',
  });
  assert.deepEqual(
    records.flatMap(record => (record.kind === 'gap' ? [] : [[record.kind, record.rpc_method, record.principal]])),
    ['call', 'membership', 'call', 'membership'].map(kind => [kind, `${SERVICE}/AddNode`, 'role:local']),
  );
  const edits = records.flatMap(record => (record.kind === 'membership' ? [record] : []));
  assert.deepEqual(
    edits.map(({ change, member, addresses, zone, weight, error }) => [change, member, addresses, zone, weight, error]),
    [
      ['add', 'node-4', NODE_4.addresses, 'eu-1b', 3, 'membership_not_writable'],
      ['add', 'node-4', NODE_4.addresses, 'eu-1b', 3, ''],
    ],
  );
  assert.deepEqual(
    log.filter(({ event }) => event === 'membership.edited').map(({ node, kind, by }) => [node, kind, by]),
    [['node-4', 'add', 'role:local']],
  );
});

test('who drains by the file is shown so, this node too, and zone and weight of the file count before its own', async t => {
  const { file, entry } = await start(t);
  assert.deepEqual((await entry('node-1'))?.zone, 'eu-1a');
  const text = await readFile(file, 'utf8');
  const [one = '', two = ''] = text.split('\n\n');
  await writeFile(file, `${one}\nzone = "eu-9z"\nweight = 7\ndraining = true\n\n${two}\ndraining = true\n`);
  await until('node-2 drains', async () => (await entry('node-2'))?.membershipState === 'draining');
  const { membershipState, zone, weight } = (await entry('node-1')) ?? assert.fail();
  assert.deepEqual([membershipState, zone, weight], ['draining', 'eu-9z', 7]);
});

test('who is no member cannot be drained, and who is not on the machine and no admin changes nothing', async t => {
  const { admin, port, records } = await start(t);
  await assert.rejects(callUnary(admin, clusterControl, 'DrainNode', { nodeName: 'node-9' }), {
    code: grpc.status.NOT_FOUND,
  });
  const client = bareClient(t, port, grpc.credentials.createInsecure());
  records.length = 0;
  for (const method of ['DrainNode', 'RemoveNode', 'TerminateNode'] as const)
    await assert.rejects(callUnary(client, clusterControl, method, { nodeName: 'node-2' }), {
      code: grpc.status.PERMISSION_DENIED,
    });
  await assert.rejects(callUnary(client, clusterControl, 'AddNode', NODE_4), { code: grpc.status.PERMISSION_DENIED });
  assert.deepEqual(
    records.map(record => record.kind === 'call' && record.authorized),
    [false, false, false, false],
  );
});

async function start(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-edit-members-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  const file = join(directory, 'members.toml');
  const table = (name: string, port: number) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${port}"\n`;
  await writeFile(file, `${table('node-1', 1)}\n${table('node-2', 2)}`);
  const records: AuditRecord[] = [];
  const log: Record<string, unknown>[] = [];
  const node = await FabricNode.start(
    {
      clusterName: 'test',
      nodeName: 'node-1',
      dataDir: join(directory, 'data'),
      zone: 'eu-1a',
      networking: { bindAddress: '127.0.0.1:0' },
      membership: { source: 'file', membersFile: file },
    },
    { audit: record => records.push(record), logger: createLogger({ write: line => log.push(JSON.parse(line)) }) },
  );
  t.after(() => node.close());
  const admin = new grpc.Client(node.ready.admin, grpc.credentials.createInsecure());
  t.after(() => admin.close());
  const entry = async (name: string) =>
    (await callUnary(admin, clusterControl, 'ListNodes', {})).nodes.find(({ nodeName }) => nodeName === name);
  return { file, admin, records, log, entry, port: Number(new URL(node.ready.fabric[0] ?? '').port) };
}

async function problemOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof Error && 'details' in error && 'code' in error);
    assert.equal(error.code, grpc.status.FAILED_PRECONDITION);
    return String(error.details);
  }
  throw new assert.AssertionError({ message: 'it was done' });
}
