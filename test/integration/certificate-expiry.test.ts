import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { Expiring } from '../../src/rpc/control-messages.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { askLocally, closedPort, fabricPort } from '../cluster/test-cluster.ts';
import { createSslClient, LOOPBACK_NAMES, openCredentials, seenBy } from '../kit/bare-grpc.ts';
import { type CredentialDirectory, makeCredentialDirectory } from '../kit/credential-directory.ts';
import { echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** In `warning` for half an hour or more: a sixth of its 6 hours is left, less a little. */
const inWarning = (): CertificateRequest => lasting(6 * HOUR_MS, HOUR_MS - MINUTE_MS);
/** In `warning` now, and `critical` in a moment: then a twelfth of its hour is left. */
const soonCritical = (): CertificateRequest => lasting(HOUR_MS, 5 * MINUTE_MS + 3 * SECOND_MS);

test('an own certificate near its end shows everywhere, gets worse by itself, and its rotation clears it', async t => {
  const node = await startNode(t, 'node-1', { request: soonCritical() });
  const [told] = node.told('tls.certificate_expiring', 'server');
  assert.ok(['warning', 'critical'].includes(String(told?.expiryLevel)), 'told before the node was ready');
  await until('it is critical', () => node.levels('server').at(-1) === 'critical');
  const [shown] = await node.expiring('server');
  assert.equal(shown?.level, 'critical');
  assert.equal(shown?.fingerprintSha256, told?.fingerprint);
  assert.equal(await node.gauge('critical', 'server'), 1);
  assert.equal(await node.gauge('warning', 'server'), 0);
  assert.deepEqual(await node.readyz(), [200, ['ready', 'certificate_expiring server critical']]);

  const levels = node.levels('server');
  await node.directory.renew({ ...nodeRequest('node-1') });
  await until('it is cleared', () => node.told('tls.certificate_expiry_cleared', 'server').length === 1);
  assert.deepEqual(node.levels('server'), levels, 'each level was told once');
  assert.equal(node.told('tls.certificate_expiry_cleared', 'server')[0]?.fingerprint, told?.fingerprint);
  assert.deepEqual(await node.expiring('server'), []);
  assert.equal(await node.gauge('critical', 'server'), 0);
  assert.deepEqual(await node.readyz(), [200, ['ready']]);
});

test('a CA near its end, and an intermediate of our own chain, are told of as ca', async t => {
  const { notBefore, notAfter } = inWarning();
  assert.ok(notBefore !== undefined && notAfter !== undefined);
  const authority = await createAuthority({ intermediate: true, notBefore, notAfter });
  const node = await startNode(t, 'node-1', { authority, request: { notBefore, notAfter } });
  assert.deepEqual(node.levels('ca'), ['warning', 'warning']);
  const fingerprints = (await node.expiring('ca')).map(({ fingerprintSha256 }) => fingerprintSha256);
  assert.equal(new Set(fingerprints).size, 2);
  assert.equal(await node.gauge('warning', 'ca'), 2);
  const anchors = (await askLocally(node.node, 'GetTlsState')).credentials[0]?.anchors ?? [];
  assert.ok(fingerprints.includes(anchors[0]?.fingerprintSha256 ?? ''), 'the root is one of them');
});

test('the certificate of a client is told of once, goes with its last connection, and is cleared when it was renewed', async t => {
  const authority = await createAuthority();
  const node = await startNode(t, 'node-1', { authority });
  const name = { commonName: 'client', uris: ['spiffe://dev/fabric/client'] };
  const issued = await authority.issue({ ...name, ...inWarning() });
  const reissued: Authority = { ...authority, issue: async () => issued };
  const connect = (from: Authority) =>
    createSslClient(t, fabricPort(node.node), authority.anchorsPem, from, { ...name });
  for (let time = 0; time < 2; time += 1) {
    const clients = [await connect(reissued), await connect(reissued)];
    for (const client of clients) assert.deepEqual((await seenBy(client)).uris, name.uris);
    assert.deepEqual(
      (await node.expiring('peer')).map(({ level, subject }) => [level, subject]),
      [['warning', 'CN=client']],
    );
    clients[0]?.close();
    assert.equal(await node.gauge('warning', 'peer'), 1);
    clients[1]?.close();
    await until('it is gone', async () => (await node.expiring('peer')).length === 0);
  }
  assert.deepEqual(node.levels('peer'), ['warning']);
  assert.deepEqual(node.told('tls.certificate_expiry_cleared', 'peer'), []);

  await seenBy(await connect(authority));
  assert.deepEqual(
    node.told('tls.certificate_expiry_cleared', 'peer').map(line => line.subject),
    ['CN=client'],
  );
});

test('what a node dials is followed as well as what dials it, and shows until its end', async t => {
  const authority = await createAuthority();
  const port = await closedPort();
  const dialled = await startNode(t, 'node-2', { authority, request: inWarning(), port });
  const dialling = await startNode(t, 'node-1', { authority, members: { 'node-2': port } });
  const own = (await dialled.expiring('server'))[0]?.fingerprintSha256;
  assert.ok(own !== undefined);
  // node-2 lists nobody, so the certificate comes over a connection that node-1 dialled.
  await until('it is seen on the wire', async () => (await dialling.expiring('peer'))[0]?.fingerprintSha256 === own);
  assert.equal(dialling.told('tls.certificate_expiring', 'peer')[0]?.fingerprint, own);
  await dialled.node.close();
  await until('it is gone with its node', async () => (await dialling.expiring('peer')).length === 0);
});

test('a failed reload is said in /readyz, which stays 200, until the files are whole again', async t => {
  const node = await startNode(t, 'node-1');
  await node.directory.write('node.pem', 'broken');
  await until('it is said', async () => (await node.readyz())[1].includes('reload_failed server'));
  assert.deepEqual(await node.readyz(), [200, ['degraded', 'reload_failed server']]);
  await node.directory.renew(nodeRequest('node-1'));
  await until('it is over', async () => (await node.readyz())[1].length === 1);
  assert.deepEqual(await node.readyz(), [200, ['ready']]);
});

test('bare credentials tell of their own certificate and of their CA', async t => {
  const { log, metrics, directory } = await openCredentials(t, { request: inWarning() });
  assert.deepEqual(
    log.filter(({ event }) => event === 'tls.certificate_expiring').map(line => [line.usage, line.expiryLevel]),
    [['server', 'warning']],
  );
  assert.match(await metrics.expose(), /^selvedge_tls_expiring_certificates\{usage="ca",level="warning"\} 0$/m);
  await directory.renew(LOOPBACK_NAMES);
  await until('it is cleared', () => log.some(({ event }) => event === 'tls.certificate_expiry_cleared'));
});

/** A certificate that is issued for `lifetimeMs` and of which `leftMs` are left. */
function lasting(lifetimeMs: number, leftMs: number): CertificateRequest {
  const endMs = Date.now() + leftMs;
  return { notBefore: new Date(endMs - lifetimeMs), notAfter: new Date(endMs) };
}

function nodeRequest(name: string): CertificateRequest {
  return { commonName: name, uris: [`spiffe://dev/fabric/${name}`], ...LOOPBACK_NAMES };
}

interface StartedNode {
  readonly node: FabricNode;
  readonly directory: CredentialDirectory;
  /** Lines of that event and usage. */
  told(event: string, usage: string): readonly LogLine[];
  /** The levels that were told of, in their order. */
  levels(usage: string): readonly unknown[];
  expiring(usage: string): Promise<readonly Expiring[]>;
  /** Certificates at that level, as the metric says. */
  gauge(level: string, usage: string): Promise<number | undefined>;
  /** Status and lines. */
  readyz(): Promise<[number, string[]]>;
}

/** A strict node with the echo service; closed after the test. */
async function startNode(
  t: TestContext,
  name: string,
  options: {
    authority?: Authority;
    request?: CertificateRequest;
    port?: number;
    members?: Readonly<Record<string, number>>;
  } = {},
): Promise<StartedNode> {
  const { authority = await createAuthority(), request, port = 0, members = {} } = options;
  const directory = await makeCredentialDirectory(t, { authority, request: { ...nodeRequest(name), ...request } });
  const membersFile = join(directory.directory, 'members.toml');
  const entries = Object.entries(members).map(
    ([member, at]) => `[[member]]\nname = "${member}"\naddress = "127.0.0.1:${at}"`,
  );
  await writeFileAtomic(membersFile, entries.join('\n'), 0o600);
  const log: LogLine[] = [];
  const metrics: Metrics = createMetrics();
  const node = await FabricNode.start(
    {
      clusterName: 'dev',
      nodeName: name,
      dataDir: join(directory.directory, 'data'),
      networking: {
        bindAddress: `127.0.0.1:${port}`,
        reconnectMaxDelayMs: 200,
        tls: {
          mode: 'strict',
          certFile: directory.path('node.pem'),
          keyFile: directory.path('node.key'),
          caFiles: [directory.path('ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
        },
      },
      ...(entries.length === 0 ? {} : { membership: { source: 'file', membersFile } }),
      observability: { bindAddress: '127.0.0.1:0' },
    },
    {
      logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
      metrics,
      services: [{ definition: echoDefinition, implementation: echoImplementation }],
    },
  );
  t.after(() => node.close());
  const told = (event: string, usage: string) => log.filter(line => line.event === event && line.usage === usage);
  return {
    node,
    directory,
    told,
    levels: usage => told('tls.certificate_expiring', usage).map(({ expiryLevel }) => expiryLevel),
    expiring: async usage => (await askLocally(node, 'GetStatus')).expiring.filter(each => each.usage === usage),
    gauge: async (level, usage) => {
      const { values } = await metrics.expiringCertificates.get();
      return values.find(({ labels }) => labels.level === level && labels.usage === usage)?.value;
    },
    readyz: async () => {
      const response = await fetch(`${node.ready.observability}/readyz`);
      return [response.status, (await response.text()).trim().split('\n')];
    },
  };
}
