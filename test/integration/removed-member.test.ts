// What it means that a node was removed by name, and what it does not.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { makeCredentialDirectory } from '../kit/credential-directory.ts';
import { echo, echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';

test('a removed node gets no stream and is not dialled; its own calls end with its certificate, not with its membership', async t => {
  const authority = await createAuthority();
  const one = await begin(t, authority, 'node-1', 'removed = ["node-2"]\n');
  const entry = `[[member]]\nname = "node-1"\naddress = "${one.node.ready.fabric[0]}"\n`;
  const two = await begin(t, authority, 'node-2', entry);
  await until('it is refused its stream', () => two.node.members.get('node-1')?.stream === 'refused');
  assert.ok(two.reasons.includes('member_removed'), String(two.reasons));
  assert.equal(one.node.members.get('node-2'), undefined);
  await assert.rejects(one.node.messages.send('node-2', 'ping', Buffer.from('')), /no member is called node-2/);

  const call = () => {
    const client = two.node.client(grpc.Client, 'node-1');
    return echo(client, 'hello', 5_000).finally(() => client.close());
  };
  assert.equal(await call(), 'hello');
  await one.node.reload(one.options(['cn:node-2']));
  await until('it is cut off', () => two.reasons.includes('certificate_revoked'));
  await assert.rejects(call(), /certificate_revoked/);
});

async function begin(t: TestContext, authority: Authority, nodeName: string, more: string) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-removed-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const request = { commonName: nodeName, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  const { certFile, keyFile, caFiles } = (await makeCredentialDirectory(t, { authority, request })).files;
  const membersFile = join(directory, 'members.toml');
  await writeFile(membersFile, `${more}[[member]]\nname = "${nodeName}"\naddress = "127.0.0.1:1"\n`);
  const options = (deniedCertificates: readonly string[]): FabricNodeOptions => ({
    clusterName: 'dev',
    nodeName,
    dataDir: join(directory, 'data'),
    networking: {
      bindAddress: '127.0.0.1:0',
      refusedHoldTimeoutMs: 100,
      tls: {
        mode: 'strict',
        certFile,
        keyFile,
        caFiles,
        allowedSubjectNames: ['cn:*'],
        nodeIdentity: 'cn:{node-name}',
        deniedCertificates,
      },
    },
    membership: { source: 'file', membersFile },
  });
  const reasons: unknown[] = [];
  const node = await FabricNode.start(options([]), {
    logger: createLogger({ write: line => reasons.push(JSON.parse(line).reason) }),
    services: [{ definition: echoDefinition, implementation: echoImplementation }],
  });
  t.after(() => node.close());
  return { node, options, reasons };
}
