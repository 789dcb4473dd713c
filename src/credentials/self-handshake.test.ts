import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { handshakeWithSelf } from './self-handshake.ts';

const BASE = { minVersion: 'TLSv1.3', timeoutMs: 60_000 } as const;

test('credentials that trust each other pass, with one set for both sides or two, in either version', async t => {
  const authority = await createAuthority();
  const [server, client] = [await makeSnapshot(t, { authority }), await makeSnapshot(t, { authority })];
  assert.deepEqual(await handshakeWithSelf({ ...BASE, server, client: server }), []);
  assert.deepEqual(await handshakeWithSelf({ ...BASE, server, client }), []);
  assert.deepEqual(await handshakeWithSelf({ ...BASE, server, client, minVersion: 'TLSv1.2' }), []);
});

test('a certificate of a CA that the other side does not trust is said of the side that shows it', async t => {
  const [server, client] = [await makeSnapshot(t), await makeSnapshot(t)];
  const problems = await handshakeWithSelf({ ...BASE, server, client });
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /^this node would refuse itself as a server: unknown_ca: /);
  assert.match(problems[1] ?? '', /^this node would refuse itself as a client: unknown_ca: /);
});

test('a certificate that may only serve is refused as a client, and only so', async t => {
  const server = await makeSnapshot(t, { request: { commonName: 'node-1', dnsNames: ['node-1'], usage: 'server' } });
  const problems = await handshakeWithSelf({ ...BASE, server, client: server });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /as a client: wrong_key_usage: /);
});

test('a revoked certificate is refused by the side that holds the list', async t => {
  const serialNumber = '5566778899aabbccddeeff0011223344';
  const authority = await createAuthority();
  const request = { commonName: 'node-1', dnsNames: ['node-1'], serialNumber };
  const client = await makeSnapshot(t, { authority, request });
  const server = await makeSnapshot(t, { authority, revoked: [serialNumber] });
  const problems = await handshakeWithSelf({ ...BASE, server, client });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /as a client: certificate_revoked: /);
});

test('a handshake that TLS itself cannot finish is said too', async t => {
  const snapshot = await makeSnapshot(t);
  const contextOptions: typeof snapshot.contextOptions = () => ({
    ...snapshot.contextOptions('TLSv1.2'),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  const problems = await handshakeWithSelf({ ...BASE, server: { ...snapshot, contextOptions }, client: snapshot });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^a handshake of this node with itself fails: /);
});

test('a context that OpenSSL does not take is a failure and no more', async t => {
  const snapshot = await makeSnapshot(t);
  const contextOptions = () => ({ ...snapshot.contextOptions('TLSv1.3'), ciphers: 'NONE_OF_THESE' });
  const [broken] = await handshakeWithSelf({ ...BASE, server: { ...snapshot, contextOptions }, client: snapshot });
  assert.match(broken ?? '', /^a handshake of this node with itself fails: /);
});
