import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { connectionMessage, nodeFacts, peerEntry } from '../../test/kit/node-facts.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { openCredentialsStore } from '../credentials/credentials-store.ts';
import type { ExpiringCertificate } from '../credentials/expiry.ts';
import { parseAddress } from '../identity/address.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { credentialMessage, peerMessage, selfAsPeer, statusOfNode } from './messages-of.ts';

test('the status of a node tells what it is, whom it sees and how many connections of each kind it has', () => {
  const kinds = [
    ['inbound', 'mutual_tls'],
    ['inbound', 'mutual_tls'],
    ['inbound', 'tls'],
    ['inbound', 'none'],
    ['outbound', 'mutual_tls'],
    ['outbound', 'none'],
    ['outbound', 'none'],
    ['outbound', 'none'],
  ];
  const node = nodeFacts({
    peers: () => [peerEntry()],
    connections: () => kinds.map(([direction = '', security = '']) => connectionMessage({ direction, security })),
  });
  assert.deepEqual(statusOfNode(node), {
    clusterName: 'dev',
    nodeName: 'node-1',
    generation: 11,
    version: '0.1.0',
    state: 'ready',
    mode: 'optional',
    advertisedAddresses: ['https://node-1.example:5122'],
    startedAtMs: 1_000,
    labels: { role: 'worker' },
    peers: [peerMessage(peerEntry())],
    connections: {
      inboundMutualTls: 2,
      inboundTls: 1,
      inboundNone: 1,
      outboundMutualTls: 1,
      outboundTls: 0,
      outboundNone: 3,
    },
    certificateExpiresAtMs: 0,
    addressesRedacted: false,
    problems: [],
    expiring: [],
    peersConnected: 'not_all',
    notices: [],
    membershipSources: [],
  });
});

test('a status tells of the certificates that end first, and not of any number of them', () => {
  const expiring = Array.from({ length: 150 }, (_, n): ExpiringCertificate => {
    const fingerprint256 = String(n).padStart(64, '0');
    const identity = peerIdentity({ subject: `CN=${n}`, commonName: `${n}`, fingerprint256, notAfter: new Date(n) });
    return { usage: 'peer', level: 'warning', identity };
  });
  const told = statusOfNode(nodeFacts({ expiring: () => expiring })).expiring;
  assert.equal(told.length, 100);
  assert.deepEqual(told[99], {
    usage: 'peer',
    subject: 'CN=99',
    fingerprintSha256: '99'.padStart(64, '0'),
    level: 'warning',
    expiresAtMs: 99,
    identity: '99',
  });
});

test('a member that was never reached is told with empty fields, never with undefined ones', () => {
  assert.deepEqual(peerMessage(peerEntry({ reason: 'unknown_ca', detail: 'why', state: 'refused' })), {
    nodeName: 'node-2',
    state: 'refused',
    security: '',
    securityReason: '',
    reason: 'unknown_ca',
    detail: 'why',
    generation: 0,
    mode: '',
    addresses: [],
    labels: {},
    version: '',
    direction: '',
    sinceMs: 2_000,
    subject: '',
    liveness: 'unknown',
    livenessReason: 'never_heard',
    livenessSinceMs: 2_000,
    membershipState: 'active',
    zone: '',
    weight: 1,
  });
});

test('why a stream has no TLS is told, and only then', () => {
  const plain = peerMessage(peerEntry({ security: { kind: 'none', reason: 'mode_plain' } }));
  assert.deepEqual([plain.security, plain.securityReason], ['none', 'mode_plain']);
  const secured = peerMessage(peerEntry({ security: { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' } }));
  assert.deepEqual([secured.security, secured.securityReason], ['mutual_tls', '']);
});

test('addresses of a member are told in the form in which they can be configured', () => {
  const addresses = ['https://[::1]:7000', 'node-2.example', 'unix:/run/n.sock'].map(parseAddress);
  assert.deepEqual(peerMessage(peerEntry({ addresses })).addresses, [
    'https://[::1]:7000',
    'node-2.example:5122',
    'unix:/run/n.sock',
  ]);
});

test('of credentials the names, the dates and the state of the last reload are told, and no key', async t => {
  const files = await makeCredentialDirectory(t, {
    request: { commonName: 'node-1', dnsNames: ['node-1.example'], uris: ['spiffe://dev/fabric/node-1'] },
  });
  const store = await openCredentialsStore({
    spec: files.spec,
    refreshIntervalMs: 3_600_000,
    watch: false,
    logger: silentLogger,
  });
  t.after(() => store.close());
  const message = credentialMessage('server', store);
  assert.equal(message.usage, 'server');
  assert.equal(message.trustGeneration, 1);
  assert.deepEqual(message.certificate?.names, ['spiffe://dev/fabric/node-1', 'node-1.example']);
  assert.equal(message.certificate?.subject, 'CN=node-1');
  assert.match(message.certificate?.fingerprintSha256 ?? '', /^[0-9a-f]{64}$/);
  assert.equal(message.anchors.length, 1);
  assert.deepEqual([message.lastReloadResult, message.problem], ['ok', '']);

  await files.write('node.key', 'not a key');
  await store.reload('admin');
  const after = credentialMessage('server', store);
  assert.equal(after.lastReloadResult, 'failed');
  assert.match(after.problem, /node\.key: /);
  assert.equal(after.trustGeneration, 1);

  const node = nodeFacts({ credentials: () => [{ usage: 'server', store }] });
  assert.equal(statusOfNode(node).certificateExpiresAtMs, message.certificate?.notAfterMs);
  assert.equal(selfAsPeer(node).subject, 'CN=node-1');
  assert.doesNotMatch(JSON.stringify([message, after, statusOfNode(node)]), /PRIVATE/);
});

test('a node stands in its own list as self', () => {
  const self = selfAsPeer(nodeFacts());
  assert.equal(self.state, 'self');
  assert.deepEqual(self.addresses, ['https://node-1.example:5122']);
  assert.equal(self.sinceMs, 1_000);
});
