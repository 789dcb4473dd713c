import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { refusalReasonOf } from '../../src/rpc/status.ts';
import { bareClient, type OpenedCredentials, openCredentials, seenBy, startBareServer } from '../kit/bare-grpc.ts';
import { echo, echoDefinition } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

test('when the CA of a server is removed, the connection to it is closed with the reason, and another one stays', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const both = kept.anchorsPem + removed.anchorsPem;
  const client = await openCredentials(t, { authority: kept });
  await client.directory.write('ca.pem', both);
  await client.reload();
  const friend = await startBareServer(t, (await openCredentials(t, { authority: kept })).server);
  const fallen = await serving(t, { authority: removed }, kept.anchorsPem);
  const toFriend = bareClient(t, friend.port, client.channel);
  const toFallen = bareClient(t, fallen.port, client.channel);
  const { connectionId } = await seenBy(toFriend);
  const chat = openChat(toFallen);
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  const answered = new Promise(resolve => chat.once('data', resolve));
  chat.write(Buffer.from('x'));
  await answered;
  const { calls } = fallen;
  assert.match(await client.metrics.expose(), /selvedge_connections\{direction="outbound",security="mutual_tls"\} 2/);

  await client.directory.write('ca.pem', kept.anchorsPem);
  await client.reload();
  await untilWithdrawn(client, 'unknown_ca');
  assert.equal((await ended).code, grpc.status.UNAVAILABLE);
  const [line, ...more] = withdrawals(client);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [line?.direction, line?.reason, line?.address, line?.node],
    ['outbound', 'unknown_ca', `127.0.0.1:${fallen.port}`, undefined],
  );
  await assert.rejects(echo(toFallen, 'x'), /UNAVAILABLE/);
  assert.equal(fallen.calls, calls);
  assert.equal((await seenBy(toFriend)).connectionId, connectionId);
  const metrics = await client.metrics.expose();
  assert.match(metrics, /selvedge_connections\{direction="outbound",security="mutual_tls"\} 1/);
  assert.match(metrics, /selvedge_connections_closed_total\{reason="unknown_ca"\} 1/);
});

test('a connection to a server whose certificate is revoked is closed', async t => {
  const authority = await createAuthority();
  const client = await openCredentials(t, { authority, revoked: [] });
  const server = await openCredentials(t, { authority });
  const bare = await startBareServer(t, server.server);
  const dialled = bareClient(t, bare.port, client.channel);
  await echo(dialled, 'x');
  const { serialNumber } = server.info.identity;
  await client.directory.write('ca.crl', await authority.createCrl([{ serialNumber }]));
  await client.reload();
  await untilWithdrawn(client, 'certificate_revoked');
  await assert.rejects(echo(dialled, 'x'), /UNAVAILABLE/);
  assert.equal(bare.calls, 1);
});

test('no connection outlives the certificate of its server', async t => {
  const authority = await createAuthority();
  const client = await openCredentials(t, { authority });
  // Time enough for a slow machine to connect.
  const notAfter = new Date(Date.now() + 6_000);
  const server = await openCredentials(t, { authority, request: { notAfter } });
  const bare = await startBareServer(t, server.server);
  const dialled = bareClient(t, bare.port, client.channel);
  await echo(dialled, 'x');
  await untilWithdrawn(client, 'certificate_expired');
  assert.ok(Date.now() >= Math.floor(notAfter.getTime() / 1_000) * 1_000);
  await assert.rejects(echo(dialled, 'x'), /UNAVAILABLE/);
  assert.equal(bare.calls, 1);
});

test('a server that is denied is refused at the dial, by each kind of mark', async t => {
  const authority = await createAuthority();
  const uris = ['spiffe://dev/fabric/leaked'];
  const server = await openCredentials(t, { authority, request: { uris } });
  const bare = await startBareServer(t, server.server);
  for (const entry of await marksOf(server, 'uri:spiffe://dev/fabric/leaked')) {
    const client = await openCredentials(t, { authority, deniedCertificates: [entry] });
    await assert.rejects(echo(bareClient(t, bare.port, client.channel), 'x'), /UNAVAILABLE.*certificate_revoked/);
    assert.equal(client.refused('certificate_revoked')?.detail, `denied-certificates lists ${entry}`);
  }
  const other = await openCredentials(t, { authority, deniedCertificates: ['serial:01'] });
  assert.equal(await echo(bareClient(t, bare.port, other.channel), 'x'), 'x');
  assert.equal(bare.calls, 1);
});

test('a client that is denied reaches no handler, by each kind of mark, and is told the reason alone', async t => {
  const authority = await createAuthority();
  const client = await openCredentials(t, { authority, request: { uris: ['spiffe://dev/fabric/leaked'] } });
  for (const entry of await marksOf(client, 'uri:spiffe://dev/fabric/leaked')) {
    const server = await openCredentials(t, { authority, deniedCertificates: [entry] });
    const bare = await startBareServer(t, server.server);
    const error = await echo(bareClient(t, bare.port, client.channel), 'x').then(
      () => assert.fail('it was let in'),
      (failure: grpc.ServiceError) => failure,
    );
    assert.equal(error.code, grpc.status.PERMISSION_DENIED);
    assert.equal(refusalReasonOf(error), 'certificate_revoked');
    assert.ok(!error.details.includes(entry));
    assert.equal(server.refused('certificate_revoked')?.detail, `denied-certificates lists ${entry}`);
    assert.equal(bare.calls, 0);
  }
});

test('credentials that their own deny list names say so, also after a renewal', async t => {
  const opened = await openCredentials(t, { deniedCertificates: ['dns:leaked.example'] });
  assert.deepEqual(opened.info.warnings, []);
  await opened.directory.renew({ dnsNames: ['leaked.example'] });
  await opened.reload();
  assert.match(opened.info.warnings.join(), /dns:leaked\.example is the server certificate of this node itself/);
});

test('an entry that cannot be read stops the start', async t => {
  await assert.rejects(openCredentials(t, { deniedCertificates: ['sha256:12'] }), /deniedCertificates\.0: .*64 digits/);
});

/** A server with credentials of one authority that trusts clients of another. */
async function serving(
  t: TestContext,
  options: { authority: Awaited<ReturnType<typeof createAuthority>> },
  ca: string,
) {
  const opened = await openCredentials(t, options);
  await opened.directory.write('ca.pem', options.authority.anchorsPem + ca);
  await opened.reload();
  return startBareServer(t, opened.server);
}

/** Entries of a deny list that name the certificate of these credentials. */
async function marksOf({ directory }: OpenedCredentials, name: string): Promise<readonly string[]> {
  const { raw, serialNumber } = new X509Certificate(await readFile(directory.path('node.pem')));
  return [`sha256:${createHash('sha256').update(raw).digest('hex')}`, `serial:${serialNumber}`, name];
}

function withdrawals({ log }: OpenedCredentials): readonly LogLine[] {
  return log.filter(({ event }) => event === 'connection.withdrawn');
}

async function untilWithdrawn(client: OpenedCredentials, reason: RefusalReason): Promise<void> {
  await until(`the connection is closed as ${reason}`, () => withdrawals(client).some(line => line.reason === reason));
}

function openChat(client: grpc.Client): grpc.ClientDuplexStream<Buffer, Buffer> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Chat;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}
