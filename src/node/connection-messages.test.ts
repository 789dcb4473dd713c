import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { echo } from '../../test/kit/echo-service.ts';
import { makeSnapshot, startConnector, startListener } from '../../test/kit/fabric-pair.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { OutboundConnection } from '../connector/outbound-connections.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { withScheme } from '../identity/address.ts';
import { inboundMessage, outboundMessage } from './connection-messages.ts';

const OPENED = new Date(1_000);

test('an outbound connection is told with address, node, security and the names of the server', () => {
  const identity = peerIdentity({
    subject: 'CN=node-2',
    commonName: 'node-2',
    uris: ['spiffe://dev/fabric/node-2'],
    spiffeId: 'spiffe://dev/fabric/node-2',
    notAfter: new Date(5_000),
  });
  assert.deepEqual(outboundMessage(outbound({ identity })), {
    id: 7,
    direction: 'outbound',
    remoteAddress: 'https://node-2.example:5122',
    security: 'mutual_tls',
    securityReason: '',
    tlsVersion: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    subject: 'CN=node-2',
    identity: 'spiffe://dev/fabric/node-2',
    fingerprintSha256: '0'.repeat(64),
    roles: [],
    openedAtMs: 1_000,
    activeCalls: 0,
    certificateExpiresAtMs: 5_000,
    nodeName: 'node-2',
  });
});

test('the name a peer is known by is its SPIFFE ID, else its CN, else its first DNS name, else empty', () => {
  const known = (names: Parameters<typeof peerIdentity>[0]) =>
    outboundMessage(outbound({ identity: peerIdentity(names) })).identity;
  const dnsNames = ['a.example', 'b.example'];
  assert.equal(known({ spiffeId: 'spiffe://x/y', commonName: 'cn', dnsNames }), 'spiffe://x/y');
  assert.equal(known({ commonName: 'cn', dnsNames }), 'cn');
  assert.equal(known({ dnsNames }), 'a.example');
  assert.equal(known({ ipAddresses: ['10.0.0.1'] }), '');
});

test('a connection without TLS is told with its reason, and every other field is empty, not missing', () => {
  const message = outboundMessage(outbound({ security: { kind: 'none', reason: 'mode_plain' }, identity: undefined }));
  const { security, securityReason, tlsVersion, cipher, subject, fingerprintSha256, certificateExpiresAtMs } = message;
  assert.deepEqual(
    [security, securityReason, tlsVersion, cipher, subject, fingerprintSha256, certificateExpiresAtMs],
    ['none', 'mode_plain', '', '', '', '', 0],
  );
});

test('an inbound connection is told with who came, in which roles, and what runs over it', async t => {
  const { listener } = await admitted(t);
  const [connection] = listener.connections;
  assert.ok(connection !== undefined);
  const message = inboundMessage(connection, 'node-9');
  assert.equal(message.id, connection.id);
  assert.deepEqual([message.direction, message.security, message.nodeName], ['inbound', 'mutual_tls', 'node-9']);
  assert.match(message.remoteAddress, /^127\.0\.0\.1:\d+$/);
  assert.equal(message.tlsVersion, 'TLSv1.3');
  assert.deepEqual(message.roles, ['peer']);
  assert.equal(message.identity, 'spiffe://dev/fabric/node-9');
  assert.equal(message.activeCalls, 0);
  assert.ok(message.certificateExpiresAtMs > Date.now());
  assert.equal(message.openedAtMs, connection.openedAt.getTime());
});

function outbound(changes: Partial<OutboundConnection>): OutboundConnection {
  return {
    id: 7,
    nodeName: 'node-2',
    address: 'https://node-2.example:5122',
    security: { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' },
    identity: undefined,
    openedAt: OPENED,
    ...changes,
  };
}

async function admitted(t: TestContext) {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot: await makeSnapshot(t, { authority, request: { uris: ['spiffe://dev/fabric/node-9'] } }),
  });
  assert.equal(await echo(client, 'x'), 'x');
  return server;
}
