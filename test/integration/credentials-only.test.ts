import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { inspect } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { isSelvedgeError, type SelvedgeError } from '../../src/errors/selvedge-error.ts';
import { openFabricCredentials } from '../../src/node/fabric-credentials.ts';
import { refusalReasonOf } from '../../src/rpc/status.ts';
import {
  type BareServer,
  bareClient,
  createSslClient,
  LOOPBACK_NAMES,
  openCredentials,
  seenBy,
  startBareServer,
} from '../kit/bare-grpc.ts';
import { makeCredentialDirectory } from '../kit/credential-directory.ts';
import { echo, echoDefinition } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

const DAY_MS = 86_400_000;
const PEER: CertificateRequest = { uris: ['spiffe://dev/fabric/node-2'] };
const ALLOWED = { allowedSubjectNames: ['uri:spiffe://dev/fabric/*'] };

test('an allowed peer calls, and the handler sees who it is', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const { port } = await startBareServer(t, server.server);
  const peer = await openCredentials(t, { authority, request: PEER });
  const client = bareClient(t, port, peer.channel);
  const { connectionId, ...seen } = await seenBy(client);
  assert.deepEqual(seen, { uris: PEER.uris, roles: ['peer'], security: 'mutual_tls' });
  assert.equal((await seenBy(client)).connectionId, connectionId);
  assert.notEqual((await seenBy(bareClient(t, port, peer.channel))).connectionId, connectionId);
});

test('a peer whose certificate comes through an intermediate is taken', async t => {
  const authority = await createAuthority({ intermediate: true });
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const { port } = await startBareServer(t, server.server);
  const client = await createSslClient(t, port, authority.anchorsPem, authority, PEER);
  assert.deepEqual((await seenBy(client)).uris, PEER.uris);
});

test('no call of a peer with a bad certificate, a name that is not allowed or none at all reaches a handler, and each is logged and counted', async t => {
  const authority = await createAuthority();
  const stranger = await createAuthority();
  const { certPem: _cert, ...revoked } = await authority.issue(PEER);
  const server = await openCredentials(t, { authority, revoked: [revoked.serialNumber], ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  const expired = { ...PEER, notAfter: new Date(Date.now() - DAY_MS) };
  const cases: [RefusalReason, Authority, CertificateRequest | undefined][] = [
    ['no_certificate', authority, undefined],
    ['unknown_ca', stranger, PEER],
    // A stranger's expired certificate is a stranger's first.
    ['unknown_ca', stranger, expired],
    ['certificate_expired', authority, expired],
    ['certificate_not_yet_valid', authority, { ...PEER, notBefore: new Date(Date.now() + DAY_MS) }],
    ['wrong_key_usage', authority, { ...PEER, usage: 'server' }],
    ['wrong_key_usage', authority, { ...PEER, usage: 'codeSigning' }],
    ['wrong_key_usage', authority, { ...PEER, isCa: true }],
    ['certificate_revoked', authority, { ...PEER, serialNumber: revoked.serialNumber }],
    ['subject_not_allowed', authority, { uris: ['spiffe://dev/other/node-2'] }],
    ['subject_not_allowed', authority, { commonName: 'spiffe://dev/fabric/node-2' }],
  ];
  for (const [reason, issuer, request] of cases) {
    server.log.length = 0;
    const client = await createSslClient(t, bare.port, authority.anchorsPem, issuer, request);
    await assert.rejects(echo(client, 'x'), /UNAVAILABLE|UNAUTHENTICATED|PERMISSION_DENIED/);
    client.close();
    await until(`${reason} is logged`, () => server.refused(reason) !== undefined);
    const line = server.refused(reason);
    assert.match(String(line?.remote), /^127\.0\.0\.1:\d+$/);
    if (request !== undefined) assert.match(String(line?.fingerprint), /^[0-9a-f]{64}$/);
    assert.match(await server.metrics.expose(), new RegExp(`refused_total\\{reason="${reason}"\\} [1-9]`));
  }
  assert.equal(bare.calls, 0);
});

test('a refusal that is ours tells the client its reason code and nothing of what would be allowed', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, allowedSubjectNames: ['cn:the-chosen-one'] });
  const bare = await startBareServer(t, server.server);
  const client = await createSslClient(t, bare.port, authority.anchorsPem, authority, PEER);
  const error = await failureOf(echo(client, 'x'));
  assert.equal(error.code, grpc.status.PERMISSION_DENIED);
  assert.equal(refusalReasonOf(error), 'subject_not_allowed');
  assert.doesNotMatch(inspect(error), /chosen/);
});

test('a stream of a refused peer is answered before its first message is looked at', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  const client = await createSslClient(t, bare.port, authority.anchorsPem, authority, { commonName: 'x' });
  const chat = openChat(client);
  chat.write(Buffer.from('x'));
  const error = await new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  assert.equal(error.code, grpc.status.PERMISSION_DENIED);
  assert.equal(bare.calls, 0);
});

test('a call that came over no TLS connection is refused, since nothing vouches for it', async t => {
  const server = await openCredentials(t);
  const plaintext = grpc.experimental.createServerCredentialsWithInterceptors(
    grpc.ServerCredentials.createInsecure(),
    server.server._getInterceptors(),
  );
  const bare = await startBareServer(t, plaintext);
  const error = await failureOf(echo(bareClient(t, bare.port, grpc.credentials.createInsecure()), 'x'));
  assert.equal(error.code, grpc.status.UNAUTHENTICATED);
  assert.equal(bare.calls, 0);
});

test('credentials that are wrapped without their interceptor accept nobody, and say so', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority });
  const wrapped = grpc.experimental.createServerCredentialsWithInterceptors(server.server, []);
  const guarded = await startBareServer(t, server.server);
  const unguarded = await startBareServer(t, wrapped);
  const guardedToo = await startBareServer(t, server.server);
  await server.directory.renew(LOOPBACK_NAMES);
  await server.reload();
  await assert.rejects(echo(bareClient(t, unguarded.port, server.channel), 'x'), /UNAVAILABLE/);
  assert.equal(unguarded.calls, 0);
  assert.ok(server.log.some(line => line.event === 'credentials.without_interceptor'));
  assert.equal(await echo(bareClient(t, guarded.port, server.channel), 'x'), 'x');
  assert.equal(await echo(bareClient(t, guardedToo.port, server.channel), 'x'), 'x');
});

test('rotations under load: no call fails, an old connection goes on, new ones show the new certificate on both sides', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  const peer = await openCredentials(t, { authority, request: PEER });
  const steady = bareClient(t, bare.port, peer.channel);
  const { connectionId } = await seenBy(steady);
  let stop = false;
  let calls = 0;
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      assert.equal((await seenBy(steady)).connectionId, connectionId);
      calls += 1;
    }
  });
  for (let rotation = 1; rotation <= 10; rotation += 1) {
    const uris = [`spiffe://dev/fabric/rotation-${rotation}`];
    await Promise.all([
      server.directory.renew({ ...LOOPBACK_NAMES, commonName: `server ${rotation}` }),
      peer.directory.renew({ uris }),
    ]);
    await Promise.all([server.reload(), peer.reload()]);
    assert.deepEqual((await seenBy(bareClient(t, bare.port, peer.channel))).uris, uris);
    assert.equal((await presentedBy(bare)).subject.CN, `server ${rotation}`);
    const before = calls;
    await until('calls went on', () => calls > before + 5);
  }
  stop = true;
  await Promise.all(load);
  assert.deepEqual((await seenBy(steady)).uris, PEER.uris);
});

test('files that change on disk are taken without being asked for', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority });
  const bare = await startBareServer(t, server.server);
  await server.directory.renew({ ...LOOPBACK_NAMES, commonName: 'renewed' });
  await until('it is seen', async () => (await presentedBy(bare)).subject.CN === 'renewed');
  assert.equal(server.info.identity.commonName, 'renewed');
  assert.equal(server.info.problem, undefined);
});

test('a broken file changes nothing, and the credentials say what is wrong', async t => {
  const server = await openCredentials(t);
  const bare = await startBareServer(t, server.server);
  await server.directory.write('node.pem', 'nonsense');
  assert.equal((await server.reload()).result, 'failed');
  assert.match(String(server.info.problem), /node\.pem/);
  assert.equal(await echo(bareClient(t, bare.port, server.channel), 'x'), 'x');
});

test('when a CA is removed its peers get no further call, neither over new connections nor over those they have', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const server = await openCredentials(t, { authority: kept, ...ALLOWED });
  await server.directory.write('ca.pem', kept.anchorsPem + removed.anchorsPem);
  await server.reload();
  const bare = await startBareServer(t, server.server);
  const friend = await createSslClient(t, bare.port, kept.anchorsPem, kept, PEER);
  const fallen = await createSslClient(t, bare.port, kept.anchorsPem, removed, PEER);
  const idle = await createSslClient(t, bare.port, kept.anchorsPem, removed, PEER);
  await Promise.all([echo(friend, 'x'), echo(fallen, 'x'), echo(idle, 'x')]);

  await server.directory.write('ca.pem', kept.anchorsPem);
  await server.reload();
  const calls = bare.calls;
  for (let attempt = 0; attempt < 5; attempt += 1)
    await assert.rejects(echo(fallen, 'x'), /UNAUTHENTICATED.*unknown_ca|UNAVAILABLE/);
  await assert.rejects(echo(await createSslClient(t, bare.port, kept.anchorsPem, removed, PEER), 'x'), /UNAVAILABLE/);
  assert.equal(bare.calls, calls);
  await until('both old connections are closed, also the one that made no call', () => {
    return server.log.filter(line => line.event === 'connection.closed' && line.reason === 'unknown_ca').length === 2;
  });
  assert.equal(await echo(friend, 'x'), 'x');
});

test('a peer whose certificate expires while it is connected gets no further call', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  // Time enough for a slow machine to connect.
  const notAfter = new Date(Date.now() + 6_000);
  const client = await createSslClient(t, bare.port, authority.anchorsPem, authority, { ...PEER, notAfter });
  assert.equal(await echo(client, 'x'), 'x');
  const closed = () => server.log.find(line => line.event === 'connection.closed');
  await until('the connection is closed', () => closed() !== undefined);
  assert.equal(closed()?.reason, 'certificate_expired');
  const { calls } = bare;
  await assert.rejects(echo(client, 'x'), /UNAUTHENTICATED.*certificate_expired|UNAVAILABLE/);
  assert.equal(bare.calls, calls);
});

test('a stream over a connection whose CA was removed is cut after the grace, and told why', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const server = await openCredentials(t, { authority: kept, withdrawalGraceMs: 50 });
  await server.directory.write('ca.pem', kept.anchorsPem + removed.anchorsPem);
  await server.reload();
  const bare = await startBareServer(t, server.server);
  const chat = openChat(await createSslClient(t, bare.port, kept.anchorsPem, removed, PEER));
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  chat.write(Buffer.from('x'));
  await new Promise(resolve => chat.once('data', resolve));
  await server.directory.write('ca.pem', kept.anchorsPem);
  await server.reload();
  const error = await ended;
  assert.equal(error.code, grpc.status.UNAVAILABLE);
  assert.equal(refusalReasonOf(error), 'unknown_ca');
  const line = server.log.find(({ event }) => event === 'connection.withdrawn');
  assert.deepEqual([line?.reason, line?.activeCalls, line?.graceMs], ['unknown_ca', 1, 50]);
  await until('it is closed', () => server.log.some(({ event }) => event === 'connection.closed'));
});

test('no stream outlives the certificate of its client: the grace lies before its end, and the client is told', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED, withdrawalGraceMs: 1_000 });
  const bare = await startBareServer(t, server.server);
  const notAfter = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 7_000);
  const chat = openChat(await createSslClient(t, bare.port, authority.anchorsPem, authority, { ...PEER, notAfter }));
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  chat.write(Buffer.from('x'));
  await new Promise(resolve => chat.once('data', resolve));
  const withdrawn = () => server.log.find(({ event }) => event === 'connection.withdrawn');
  await until('it is withdrawn', () => withdrawn() !== undefined);
  const line = withdrawn();
  assert.deepEqual([line?.reason, line?.activeCalls], ['certificate_expired', 1]);
  assert.match(String(line?.detail), /^the certificate is valid until/);
  const error = await ended;
  assert.equal(error.code, grpc.status.UNAVAILABLE);
  assert.equal(refusalReasonOf(error), 'certificate_expired');
});

test('a connection without a call is judged as well: at its opening, when trust changes, and when its certificate ends', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED, revoked: [], withdrawalGraceMs: 50 });
  const bare = await startBareServer(t, server.server);
  const idle = async (request: CertificateRequest) => {
    const { certPem: cert, keyPem: key, serialNumber } = await authority.issue(request);
    const options = {
      cert,
      key,
      ca: authority.anchorsPem,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    };
    const socket = tls.connect({ ...options, port: bare.port, host: '127.0.0.1' });
    t.after(() => socket.destroy());
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
    socket.on('error', () => {}).resume();
    return { closed, socket, serialNumber };
  };
  const logged = (event: string, reason?: string) =>
    server.log.filter(line => line.event === event && (reason === undefined || line.reason === reason)).length;

  await (await idle({ commonName: 'a stranger' })).closed;
  assert.equal(logged('connection.refused', 'subject_not_allowed'), 1);

  await (await idle({ ...PEER, notAfter: new Date(Date.now() + 3_000) })).closed;
  await until('the end is logged', () => logged('connection.closed', 'certificate_expired') === 1);

  const opened = logged('connection.opened');
  const [good, bad] = [await idle(PEER), await idle(PEER)];
  await until('both are open', () => logged('connection.opened') === opened + 2);
  await server.directory.write('ca.crl', await authority.createCrl([{ serialNumber: bad.serialNumber }]));
  await server.reload();
  await bad.closed;
  await until('the end is logged', () => logged('connection.closed', 'certificate_revoked') === 1);
  assert.equal(logged('connection.withdrawn', 'certificate_revoked'), 1);
  assert.equal(good.socket.destroyed, false);
});

test('every log line about a certificate says what its holder is called, also where it has no subject', async t => {
  const authority = await createAuthority();
  const svid = (path: string) => ({ ...LOOPBACK_NAMES, uris: [`spiffe://dev/fabric/${path}`] });
  const server = await openCredentials(t, { authority, request: svid('server'), ...ALLOWED, revoked: [] });
  const bare = await startBareServer(t, server.server);
  const peer = await openCredentials(t, { authority, request: svid('peer'), revoked: [] });
  const stranger = await openCredentials(t, { authority, request: { uris: ['spiffe://dev/other'] } });
  await assert.rejects(echo(bareClient(t, bare.port, stranger.channel), 'x'), /PERMISSION_DENIED/);
  await echo(bareClient(t, bare.port, peer.channel), 'x');

  const serialNumber = peer.info.identity.serialNumber;
  await server.directory.write('ca.crl', await authority.createCrl([{ serialNumber }]));
  await server.directory.renew(svid('server'));
  await server.reload();
  const other = await openCredentials(t, { authority, request: svid('other'), revoked: [] });
  await echo(bareClient(t, bare.port, other.channel), 'x');
  const revoked = server.info.identity.serialNumber;
  await other.directory.write('ca.crl', await authority.createCrl([{ serialNumber: revoked }]));
  await other.reload();

  const saidBy = (log: readonly LogLine[], event: string) => {
    const line = log.find(each => each.event === event);
    assert.match(String(line?.fingerprint), /^[0-9a-f]{64}$/, event);
    return { subject: line?.subject, identity: line?.identity };
  };
  const expected = (path: string) => ({ subject: '', identity: `spiffe://dev/${path}` });
  assert.deepEqual(saidBy(server.log, 'tls.loaded'), expected('fabric/server'));
  assert.deepEqual(saidBy(server.log, 'tls.reloaded'), expected('fabric/server'));
  assert.deepEqual(saidBy(server.log, 'connection.refused'), expected('other'));
  assert.deepEqual(saidBy(server.log, 'connection.withdrawn'), expected('fabric/peer'));
  await until('it is withdrawn', () => other.log.some(({ event }) => event === 'connection.withdrawn'));
  assert.deepEqual(saidBy(other.log, 'connection.withdrawn'), expected('fabric/server'));
});

test('a directory that another program fills serves as well, and a key that is not its own is named', async t => {
  const authority = await createAuthority();
  const { directory: place } = await makeCredentialDirectory(t, { authority, request: LOOPBACK_NAMES });
  for (const [from, to] of [
    ['node.pem', 'tls.crt'],
    ['node.key', 'tls.key'],
    ['ca.pem', 'ca.crt'],
  ] as const)
    await rename(join(place, from), join(place, to));
  const source = { source: 'directory', directory: place, ...ALLOWED } as const;
  const credentials = await openFabricCredentials(source);
  t.after(() => credentials.close());
  const { port } = await startBareServer(t, credentials.server);
  const peer = await openCredentials(t, { authority, request: PEER });
  assert.deepEqual((await seenBy(bareClient(t, port, peer.channel))).uris, PEER.uris);
  await assert.rejects(openFabricCredentials({ ...source, certFile: 'node.pem' }), error => {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    assert.deepEqual(
      error.facts.problems.map(({ key }) => key),
      ['certFile'],
    );
    return true;
  });
});

test('every mistake in the options is reported at once, and a file that cannot be used by its name', async t => {
  const { directory } = await openCredentials(t);
  const open = (changes: object) =>
    openFabricCredentials({ ...directory.files, allowedSubjectNames: ['*'], ...changes }).then(
      () => assert.fail('it opened'),
      (error: SelvedgeError) => error,
    );
  const invalid = await open({
    allowedSubjectNames: [],
    serverSubjectNames: ['foo:x'],
    minVersion: '1.1',
    withdrawalGraceMs: 0,
  });
  assert.ok(isSelvedgeError(invalid, 'config_invalid'));
  const keys = invalid.facts.problems.map(({ key }) => key);
  assert.deepEqual(keys.sort(), ['allowedSubjectNames', 'minVersion', 'serverSubjectNames.0', 'withdrawalGraceMs']);
  const missing = await open({ keyFile: directory.path('ca.crl') });
  assert.ok(isSelvedgeError(missing, 'credentials_invalid'));
  assert.match(missing.message, /ca\.crl/);
});

test('a client that renewed its certificate after it was refused is taken without being restarted', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  const peer = await openCredentials(t, { authority, request: { commonName: 'wrong' } });
  const client = bareClient(t, bare.port, peer.channel);
  await assert.rejects(echo(client, 'x'), /PERMISSION_DENIED/);
  await peer.directory.renew(PEER);
  await peer.reload();
  await until('it is taken', async () => (await echo(client, 'x').catch(() => '')) === 'x');
});

test('a peer that is refused again and again is held back', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, ...ALLOWED });
  const bare = await startBareServer(t, server.server);
  const refusal = async () => {
    const client = await createSslClient(t, bare.port, authority.anchorsPem, authority, { commonName: 'x' });
    await assert.rejects(echo(client, 'x'), /PERMISSION_DENIED/);
  };
  await refusal();
  const startedAt = performance.now();
  await refusal();
  assert.ok(performance.now() - startedAt >= 490);
});

test('a TLS 1.2 client is turned away, unless 1.2 was asked for', async t => {
  const authority = await createAuthority();
  const { certPem: cert, keyPem: key } = await authority.issue(PEER);
  const options: tls.ConnectionOptions = { cert, key, ca: authority.anchorsPem, maxVersion: 'TLSv1.2' };
  const strict = await startBareServer(t, (await openCredentials(t, { authority })).server);
  assert.equal((await handshake(strict, options)).failure, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  const lenient = await startBareServer(t, (await openCredentials(t, { authority, minVersion: '1.2' })).server);
  assert.equal((await handshake(lenient, options)).protocol, 'TLSv1.2');
});

test('a session is never resumed, so none carries a certificate past a change of trust', async t => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const [kept, removed] = [await createAuthority(), await createAuthority()];
    const server = await openCredentials(t, { authority: kept, minVersion: '1.2' });
    await server.directory.write('ca.pem', kept.anchorsPem + removed.anchorsPem);
    await server.reload();
    const bare = await startBareServer(t, server.server);
    const { certPem: cert, keyPem: key } = await removed.issue(PEER);
    const options: tls.ConnectionOptions = { cert, key, ca: kept.anchorsPem, maxVersion };
    const first = await handshake(bare, options);
    assert.deepEqual([first.protocol, first.heardServer], [maxVersion, true]);

    const again = await handshake(bare, { ...options, ...first.session });
    assert.equal(again.resumed, false);
    await server.directory.write('ca.pem', kept.anchorsPem);
    await server.reload();
    const after = await handshake(bare, { ...options, ...first.session });
    assert.deepEqual([after.resumed, after.heardServer], [false, false]);
  }
});

test('where a client hangs up over the certificate of the server, the log says that this may be why', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority });
  const bare = await startBareServer(t, server.server);
  const { anchorsPem } = await createAuthority();
  await assert.rejects(echo(await createSslClient(t, bare.port, anchorsPem, authority, PEER), 'x'), /UNAVAILABLE/);
  await until('it is logged', () => server.refused('handshake_failed') !== undefined);
  assert.match(String(server.refused('handshake_failed')?.detail), /it may have refused our certificate/);
});

test('a client refuses a server that is not the one it expects', async t => {
  const authority = await createAuthority();
  const server = await openCredentials(t, { authority, request: { dnsNames: ['elsewhere.example'], ipAddresses: [] } });
  const bare = await startBareServer(t, server.server);
  const byHost = await openCredentials(t, { authority });
  await assert.rejects(echo(bareClient(t, bare.port, byHost.channel), 'x'), /UNAVAILABLE.*server_identity_mismatch/);
  assert.ok(byHost.refused('server_identity_mismatch'));
  const byName = await openCredentials(t, { authority, serverSubjectNames: ['dns:*.example'] });
  assert.equal(await echo(bareClient(t, bare.port, byName.channel), 'x'), 'x');
  const byOther = await openCredentials(t, { authority, serverSubjectNames: ['uri:spiffe://dev/fabric/*'] });
  await assert.rejects(echo(bareClient(t, bare.port, byOther.channel), 'x'), /UNAVAILABLE.*server_identity_mismatch/);
  const stranger = await openCredentials(t);
  await assert.rejects(echo(bareClient(t, bare.port, stranger.channel), 'x'), /UNAVAILABLE.*unknown_ca/);
  assert.equal(bare.calls, 1);
});

test("our channel credentials work with grpc-js's own server credentials", async t => {
  const authority = await createAuthority();
  const { certPem, keyPem } = await authority.issue(LOOPBACK_NAMES);
  const pair = { cert_chain: Buffer.from(certPem), private_key: Buffer.from(keyPem) };
  const bare = await startBareServer(
    t,
    grpc.ServerCredentials.createSsl(Buffer.from(authority.anchorsPem), [pair], true),
  );
  const peer = await openCredentials(t, { authority, request: PEER });
  assert.equal(await echo(bareClient(t, bare.port, peer.channel), 'x'), 'x');
  const stranger = await openCredentials(t);
  await assert.rejects(echo(bareClient(t, bare.port, stranger.channel), 'x'), /UNAVAILABLE/);
  assert.equal(bare.calls, 1);
});

test('one port takes the same credentials twice, and other ones not', async t => {
  const server = await openCredentials(t);
  assert.ok(server.server._equals(server.server));
  assert.ok(!server.server._equals((await openCredentials(t)).server));
});

test('printing the credentials shows no key', async t => {
  const opened = await openCredentials(t);
  await startBareServer(t, opened.server);
  await opened.directory.renew();
  await opened.reload();
  const text = inspect([opened.server, opened.channel, opened.info], { depth: null, showHidden: true });
  assert.doesNotMatch(text + JSON.stringify([opened.server, opened.channel, opened.info]), /PRIVATE KEY/);
});

test('closed credentials serve on with the last set', async t => {
  const opened = await openCredentials(t);
  const bare = await startBareServer(t, opened.server);
  await opened.close();
  assert.equal(await echo(bareClient(t, bare.port, opened.channel), 'x'), 'x');
});

function openChat(client: grpc.Client): grpc.ClientDuplexStream<Buffer, Buffer> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Chat;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}

function failureOf(call: Promise<unknown>): Promise<grpc.ServiceError> {
  return call.then(
    () => assert.fail('the call succeeded'),
    (error: grpc.ServiceError) => error,
  );
}

interface Handshake {
  readonly protocol: string | null;
  readonly resumed: boolean;
  /** Whether the server began to speak HTTP/2. */
  readonly heardServer: boolean;
  /** What a naive client would try to resume. */
  readonly session: { session?: Buffer };
  readonly failure: string | undefined;
}

/** Connects, listens to what the server says first, and leaves. */
function handshake({ port }: BareServer, options: tls.ConnectionOptions): Promise<Handshake> {
  return new Promise(resolve => {
    const socket = tls.connect({ port, servername: 'localhost', ALPNProtocols: ['h2'], ...options });
    let seen: Handshake = { protocol: null, resumed: false, heardServer: false, session: {}, failure: undefined };
    let ticket: Buffer | undefined;
    socket.on('session', (session: Buffer) => {
      ticket = session;
    });
    socket.once('secureConnect', () => {
      seen = { ...seen, protocol: socket.getProtocol(), resumed: socket.isSessionReused() };
    });
    socket.once('data', () => {
      const session = ticket ?? socket.getSession();
      seen = { ...seen, heardServer: true, session: session === undefined ? {} : { session } };
      socket.destroy();
    });
    socket.on('error', error => {
      seen = { ...seen, failure: 'code' in error ? String(error.code) : error.message };
    });
    socket.once('close', () => resolve(seen));
  });
}

/** The certificate that a server shows now. */
function presentedBy({ port }: BareServer): Promise<tls.PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, servername: 'localhost', ALPNProtocols: ['h2'], rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}
