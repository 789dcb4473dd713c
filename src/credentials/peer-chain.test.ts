import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { until } from '../../test/kit/until.ts';
import { type Authority, createAuthority, openAuthority } from '../dev-pki/authority.ts';
import { readCredentialFiles } from './credential-files.ts';
import { judgePeerCertificate, type PeerChain, readPeerChain } from './judge-peer.ts';
import { buildTrustSnapshot, type MinTlsVersion, type TrustSnapshot } from './trust-snapshot.ts';

/** The client's side of a handshake. */
interface Client {
  readonly chain: PeerChain | undefined;
  /** What the server gave it to resume with. */
  readonly sessions: readonly Buffer[];
}

interface Server {
  readonly snapshot: TrustSnapshot;
  /** What each client presented, in the order in which they came. */
  readonly seen: { readonly chain: PeerChain | undefined; readonly isResumed: boolean }[];
  /** Shakes hands as a client, waits until the server is done with it, and hangs up. */
  connect(options: tls.ConnectionOptions): Promise<Client>;
}

async function serve(t: TestContext, authority: Authority, minVersion: MinTlsVersion = 'TLSv1.3'): Promise<Server> {
  const { files } = await makeCredentialDirectory(t, { authority });
  const snapshot = buildTrustSnapshot(await readCredentialFiles(files), { generation: 1, now: new Date() });
  const server = tls.createServer({
    ...snapshot.contextOptions(minVersion),
    maxVersion: minVersion,
    requestCert: true,
    rejectUnauthorized: false,
  });
  const seen: Server['seen'] = [];
  server.on('secureConnection', socket => {
    socket.on('error', () => {});
    const chain = readPeerChain(socket);
    assert.equal(readPeerChain(socket), chain);
    seen.push({ chain, isResumed: socket.isSessionReused() });
    // In TLS 1.3 a ticket would come with the first data.
    socket.end('welcome');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { port } = address;
  const connect = async (options: tls.ConnectionOptions): Promise<Client> => {
    const before = seen.length;
    const sessions: Buffer[] = [];
    let chain: PeerChain | undefined;
    const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    client.on('secureConnect', () => {
      chain = readPeerChain(client);
    });
    client.on('session', session => sessions.push(session));
    client.resume();
    await once(client, 'close');
    await until('the server has seen the client', () => seen.length > before);
    return { chain, sessions };
  };
  return { snapshot, seen, connect };
}

test('a client without a certificate has no chain', async t => {
  const server = await serve(t, await createAuthority());
  await server.connect({});
  assert.equal(server.seen[0]?.chain, undefined);
});

test('a good client is presented whole, and OpenSSL has nothing to say about it', async t => {
  const authority = await createAuthority({ intermediate: true });
  const server = await serve(t, authority);
  const { certPem, keyPem } = await authority.issue({ commonName: 'peer' });
  await server.connect({ cert: certPem, key: keyPem });
  const chain = server.seen[0]?.chain;
  assert.equal(chain?.chain.length, 1);
  assert.equal(chain.authorizationError, undefined);
  assert.ok(judgePeerCertificate(chain, server.snapshot, 'client', new Date()).ok);
});

test('no intermediate is lost when they come in another order', async t => {
  const root = await createAuthority();
  const upper = await root.issue({ commonName: 'upper', isCa: true });
  const lower = await (await openAuthority(upper)).issue({ commonName: 'lower', isCa: true });
  const leaf = await (await openAuthority({ ...upper, intermediate: lower })).issue({ commonName: 'peer' });
  const leafPem = leaf.certPem.replace(lower.certPem, '');
  const server = await serve(t, root);
  for (const order of [
    [lower.certPem, upper.certPem],
    [upper.certPem, lower.certPem],
  ]) {
    await server.connect({ cert: [leafPem, ...order].join(''), key: leaf.keyPem });
    const chain = server.seen.at(-1)?.chain;
    assert.equal(chain?.chain.length, 2);
    assert.ok(judgePeerCertificate(chain, server.snapshot, 'client', new Date()).ok);
  }
});

test('of a chain that is too large no more is kept than tells so', async t => {
  const authority = await createAuthority();
  const server = await serve(t, authority);
  const dnsNames = Array.from({ length: 100 }, (_, index) => `${'x'.repeat(50)}.n${index}.example`);
  const junk = await Promise.all(
    Array.from({ length: 9 }, (_, index) => authority.issue({ commonName: `junk ${index}`, isCa: true, dnsNames })),
  );
  const leaf = await authority.issue({ commonName: 'peer' });
  await server.connect({ cert: [leaf, ...junk].map(({ certPem }) => certPem).join(''), key: leaf.keyPem });
  const chain = server.seen[0]?.chain;
  assert.ok(chain);
  const verdict = judgePeerCertificate(chain, server.snapshot, 'client', new Date());
  assert.equal(verdict.ok || verdict.reason, 'malformed_certificate');
  assert.ok(chain.chain.length < 7, `${chain.chain.length} are kept`);
});

test("a bad client comes with OpenSSL's code", async t => {
  const server = await serve(t, await createAuthority());
  const { certPem, keyPem } = await (await createAuthority()).issue({ commonName: 'stranger' });
  await server.connect({ cert: certPem, key: keyPem });
  assert.match(server.seen[0]?.chain?.authorizationError ?? '', /^UNABLE_TO_/);
});

test('a client reads what the server presents, its intermediate included', async t => {
  const authority = await createAuthority({ intermediate: true });
  const server = await serve(t, authority);
  const { chain } = await server.connect({
    secureContext: server.snapshot.secureContext('TLSv1.3'),
    checkServerIdentity: () => undefined,
  });
  assert.equal(chain?.chain.length, 1);
  assert.ok(judgePeerCertificate(chain, server.snapshot, 'server', new Date()).ok);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`a session of ${version} never resumes, so that no identity outlives its certificate`, async t => {
    const authority = await createAuthority();
    const server = await serve(t, authority, version);
    const { certPem, keyPem } = await authority.issue({ commonName: 'peer' });
    const { sessions } = await server.connect({ cert: certPem, key: keyPem });
    for (const session of sessions) await server.connect({ cert: certPem, key: keyPem, session });
    await server.connect({ session: sessions.at(-1) });
    assert.ok(server.seen.every(({ isResumed }) => !isResumed));
    assert.equal(server.seen.at(-1)?.chain, undefined);
  });
