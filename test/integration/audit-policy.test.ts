import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type AuditRecord, createLogger, FabricNode, type FabricNodeOptions } from '../../src/index.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { bareClient } from '../kit/bare-grpc.ts';
import { echo, echoDefinition, echoImplementation } from '../kit/echo-service.ts';

const SERVICE = { definition: echoDefinition, implementation: echoImplementation };

test('a function takes the records; the policy decides which allowed calls of the application are among them', async t => {
  for (const [condition, expected] of [
    ['ON_DENY_AND_ALLOW', ['/test.Echo/Echo true shop/echo', '/test.Echo/Count false shop/']],
    ['ON_ALLOW', ['/test.Echo/Echo true shop/echo', '/test.Echo/Count false shop/']],
    ['ON_DENY', ['/test.Echo/Count false shop/']],
    ['NONE', ['/test.Echo/Count false shop/']],
  ] as const) {
    const records: AuditRecord[] = [];
    const lines: string[] = [];
    const options = await optionsOf(t, condition);
    const logger = createLogger({ write: line => lines.push(JSON.parse(line).event) });
    await using node = await FabricNode.start(options, {
      services: [SERVICE],
      audit: record => records.push(record),
      logger,
    });
    const port = Number(new URL(node.ready.fabric[0] ?? '').port);
    const client = bareClient(t, port, grpc.credentials.createInsecure());
    assert.equal(await echo(client, 'a'), 'a');
    await callUnary(client, nodeControl, 'GetStatus', {});
    const { path, requestSerialize, responseDeserialize } = echoDefinition.Count;
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(0));
    await new Promise(resolve => call.on('error', resolve).resume());
    assert.deepEqual(
      records.map(
        record =>
          record.kind === 'call' &&
          `${record.rpc_method} ${record.authorized} ${record.policy_name}/${record.matched_rule}`,
      ),
      expected,
      condition,
    );
    assert.ok(records.every(record => record.kind === 'call' && record.principal === 'role:anonymous'));
    assert.ok(!lines.includes('audit.record'), 'they are not in the log too');
  }
});

test('records cannot go to a file and to a function', async t => {
  const options = await optionsOf(t, 'NONE');
  const audit = { file: join(options.dataDir, 'audit.jsonl') };
  await assert.rejects(FabricNode.start({ ...options, audit }, { audit: () => {}, services: [SERVICE] }), {
    code: 'config_invalid',
    message: /audit\.file: .*not to both/,
  });
});

async function optionsOf(t: TestContext, audit_condition: string): Promise<FabricNodeOptions> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-audit-policy-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  const policyFile = join(directory, 'policy.json');
  const allow_rules = [
    { name: 'echo', source: { principals: ['role:anonymous'] }, request: { paths: ['/test.Echo/Echo'] } },
  ];
  await writeFile(
    policyFile,
    JSON.stringify({ name: 'shop', allow_rules, audit_logging_options: { audit_condition } }),
  );
  return {
    clusterName: 'test',
    nodeName: 'node-1',
    dataDir: join(directory, 'data'),
    networking: { bindAddress: '127.0.0.1:0' },
    authorization: { policyFile },
  };
}
