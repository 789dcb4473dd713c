import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { readCredentialFiles } from '../../src/credentials/credential-files.ts';
import { buildTrustSnapshot, type TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { withScheme } from '../../src/identity/address.ts';
import { parseDeniedCertificate } from '../../src/identity/denied-certificate.ts';
import type { Admit } from '../../src/listener/listener-policy.ts';
import { refusalReasonOf } from '../../src/rpc/status.ts';
import { type Chat, openChat } from '../kit/chat.ts';
import { type CredentialDirectory, makeCredentialDirectory } from '../kit/credential-directory.ts';
import { echo, whoAmI } from '../kit/echo-service.ts';
import {
  admitting,
  type LogLine,
  makeSnapshot,
  startConnector,
  startListener,
  type TestConnector,
  type TestListener,
} from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

test('inbound: of two peers the one whose CA is removed must go, with the reason in the status of its call; the other is not touched', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const directory = await trusting(t, kept, removed);
  const server = await startListener(t, { snapshot: await snapshotOf(directory) });
  const friend = await connect(t, server, await makeSnapshot(t, { authority: kept }));
  const fallen = await connect(t, server, await snapshotOf(await trusting(t, removed, kept)));
  const [toFriend, toFallen] = [openChat(friend.client), openChat(fallen.client)];
  await Promise.all([toFriend.says('1'), toFallen.says('1')]);
  const before = server.listener.connections;
  assert.equal(before.length, 2);

  await directory.write('ca.pem', kept.anchorsPem);
  server.trust.set(await snapshotOf(directory));
  await assertCut(toFallen, 'unknown_ca');
  await until('one connection is left', () => server.listener.connections.length === 1);
  assert.ok(before.includes(server.listener.connections[0] ?? assert.fail()));
  await toFriend.says('2');
  const [line, ...more] = withdrawals(server.log);
  assert.deepEqual(more, []);
  assert.deepEqual([line?.direction, line?.reason, line?.activeCalls], ['inbound', 'unknown_ca', 1]);
  await assert.rejects(echo(fallen.client, 'x'), /unknown_ca/, 'it is told at the redial');
  for (const log of [server.log, fallen.log])
    assert.ok(log.some(({ event, reason }) => event === 'connection.refused' && reason === 'unknown_ca'));
});

test('inbound: a call that ends within the grace is not cut', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, {
    snapshot: await makeSnapshot(t, { authority }),
    withdrawalGraceMs: 60_000,
  });
  const { client } = await connect(t, server, await makeSnapshot(t, { authority }));
  const stream = openChat(client);
  await stream.says('1');
  server.admit.set(denying);
  await until('it must go', () => withdrawals(server.log).length === 1);
  await stream.says('2');
  stream.call.end();
  assert.equal((await stream.ended).code, grpc.status.OK);
  await until('it went with its last call', () => server.listener.connections.length === 0);
});

test('inbound: a change of lists takes those whom it refuses, with its reason', async t => {
  for (const [reason, admit] of [
    ['subject_not_allowed', admitting(['uri:spiffe://dev/others/*'])],
    ['certificate_revoked', denying],
  ] as const) {
    const authority = await createAuthority();
    const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
    const { client } = await connect(t, server, await makeSnapshot(t, { authority }));
    const stream = openChat(client);
    await stream.says('1');
    server.admit.set(admit);
    await assertCut(stream, reason);
    assert.equal(withdrawals(server.log)[0]?.reason, reason);
  }
});

test('inbound: who holds the same roles under other lists is the same caller, whose decisions are remembered', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client } = await connect(t, server, await makeSnapshot(t, { authority }));
  await echo(client, 'x');
  server.admit.set(admitting(['*']));
  await echo(client, 'x');
  server.admit.set(() => ({ admitted: true, roles: new Set(['observer', 'peer']) }));
  await echo(client, 'x');
  await echo(client, 'x');
  const [first, second, third, fourth] = server.callers.slice(-4);
  assert.ok(first !== undefined && first === second);
  assert.ok(third !== undefined && third !== second && third === fourth);
});

test('inbound: who holds other roles keeps its connection, and loses the calls that those do not allow', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client } = await connect(t, server, await makeSnapshot(t, { authority }));
  const stream = openChat(client);
  await stream.says('1');
  const [connection] = server.listener.connections;
  server.admit.set(() => ({ admitted: true, roles: new Set(['observer']) }));
  await assertCut(stream, 'subject_not_allowed');
  await assert.rejects(echo(client, 'x'), { code: grpc.status.PERMISSION_DENIED });
  assert.deepEqual([...(connection?.caller.roles ?? [])], ['observer']);
  server.admit.set(admitting(['*']));
  assert.deepEqual((await whoAmI(client)).roles, ['peer']);
  assert.deepEqual(server.listener.connections, [connection]);
  assert.deepEqual(withdrawals(server.log), []);
});

test('inbound: no connection outlives the certificate of its peer', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  // Time enough for a slow machine to connect.
  const notAfter = new Date(Date.now() + 6_000);
  const { client } = await connect(t, server, await makeSnapshot(t, { authority, request: { notAfter } }));
  const stream = openChat(client);
  await stream.says('1');
  await assertCut(stream, 'certificate_expired');
  assert.ok(Date.now() > notAfter.getTime() - 1_500);
  const [line] = withdrawals(server.log);
  assert.equal(line?.reason, 'certificate_expired');
  assert.ok(Number(line?.graceMs) <= 100);
  await until('it is closed', () => server.listener.connections.length === 0);
});

test('outbound: a server whose CA is removed is spoken to no more, with the reason in the status of the call', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const server = await startListener(t, { snapshot: await snapshotOf(await trusting(t, removed, kept)) });
  const directory = await trusting(t, kept, removed);
  const { client, trust, log, connector } = await connect(t, server, await snapshotOf(directory));
  const stream = openChat(client);
  await stream.says('1');
  await directory.write('ca.pem', kept.anchorsPem);
  trust?.set(await snapshotOf(directory));
  await assertCut(stream, 'unknown_ca');
  await assert.rejects(echo(client, 'x'), /unknown_ca/);
  await until('it is closed', () => connector.connections.length === 0);
  const [line, ...more] = withdrawals(log);
  assert.deepEqual(more, []);
  assert.deepEqual([line?.direction, line?.node, line?.reason], ['outbound', 'node-1', 'unknown_ca']);
});

test('outbound: a change of anchors and CRLs that leaves the server good does not touch its connection', async t => {
  const [kept, removed] = [await createAuthority(), await createAuthority()];
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority: kept }) });
  const directory = await trusting(t, kept, removed);
  const { client, trust, log, connector } = await connect(t, server, await snapshotOf(directory));
  const stream = openChat(client);
  await stream.says('1');
  const before = connector.connections;
  for (const anchors of [kept.anchorsPem, kept.anchorsPem + removed.anchorsPem]) {
    await directory.write('ca.pem', anchors);
    trust?.set(await snapshotOf(directory));
    await stream.says('2');
    assert.equal(await echo(client, 'x'), 'x');
  }
  assert.deepEqual(connector.connections, before);
  assert.equal(server.listener.connections.length, 1);
  assert.deepEqual(withdrawals(log), []);
});

test('outbound: a deny list that comes to name the server takes its connection, once', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const server = await startListener(t, { snapshot });
  const { client, policy, log } = await connect(t, server, await makeSnapshot(t, { authority }));
  const stream = openChat(client);
  await stream.says('1');
  const denied = [parseDeniedCertificate(`serial:${snapshot.own.identity.serialNumber}`)];
  policy.set({ ...policy.value, denied });
  policy.set({ ...policy.value, denied: [...denied] });
  await assertCut(stream, 'certificate_revoked');
  await assert.rejects(echo(client, 'x'), /certificate_revoked/);
  assert.equal(withdrawals(log).length, 1);
});

test('outbound: before the certificate of the server ends another connection takes over, and no call fails', async t => {
  const authority = await createAuthority();
  const notAfter = new Date(Date.now() + 12_000);
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority, request: { notAfter } }) });
  const { client, connector, policy, log } = await connect(t, server, await makeSnapshot(t, { authority }));
  // Twice the grace before the end it dials anew: time enough for a slow machine.
  policy.set({ ...policy.value, withdrawalGraceMs: 2_000 });
  await echo(client, 'x');
  const [first] = connector.connections;
  server.trust.set(await makeSnapshot(t, { authority }));
  await until('another connection took over', async () => {
    assert.equal(await echo(client, 'x'), 'x');
    return connector.connections.length === 1 && connector.connections[0]?.id !== first?.id;
  });
  const [second] = connector.connections;
  assert.ok((second?.openedAt.getTime() ?? Number.NaN) < notAfter.getTime());
  assert.deepEqual(withdrawals(log), []);
  assert.ok((second?.identity?.notAfter.getTime() ?? 0) > notAfter.getTime());
});

async function assertCut({ ended }: Chat, reason: RefusalReason): Promise<void> {
  let status: grpc.StatusObject | undefined;
  void ended.then(seen => {
    status = seen;
  });
  await until('the call is cut', () => status !== undefined);
  assert.equal(status?.code, grpc.status.UNAVAILABLE);
  assert.equal(refusalReasonOf(await ended), reason);
}

const denying: Admit = () => ({ admitted: false, reason: 'certificate_revoked', detail: 'denied' });

function withdrawals(log: readonly LogLine[]): readonly LogLine[] {
  return log.filter(({ event }) => event === 'connection.withdrawn');
}

async function connect(t: TestContext, server: TestListener, snapshot: TrustSnapshot): Promise<TestConnector> {
  return startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
}

/** Credentials of the first authority that trust the second too. */
async function trusting(t: TestContext, own: Authority, other: Authority): Promise<CredentialDirectory> {
  const directory = await makeCredentialDirectory(t, { authority: own });
  await directory.write('ca.pem', own.anchorsPem + other.anchorsPem);
  return directory;
}

async function snapshotOf({ files }: CredentialDirectory): Promise<TrustSnapshot> {
  return buildTrustSnapshot(await readCredentialFiles(files), { generation: 1, now: new Date() });
}
