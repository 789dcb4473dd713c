import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { parseDeniedCertificate } from '../../src/identity/denied-certificate.ts';
import { parsePattern, parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import { admitUnder } from '../../src/node/policies.ts';
import { admitting, makeSnapshot } from '../kit/fabric-pair.ts';
import { type GuardedStream, guardedStream, PEER } from '../kit/guarded-streams.ts';
import { interceptedCall } from '../kit/intercepted-call.ts';
import { goodPolicy } from '../kit/policies.ts';
import { tlsSettings } from '../kit/tls-settings.ts';
import { until } from '../kit/until.ts';

const ECHO = '/test.Echo/Echo';
const KIND = 'cache.invalidate';
const DIRECTIONS = ['inbound', 'outbound'] as const;
const REVOKED = '5566778899aabbccddeeff0011223344';

for (const direction of DIRECTIONS) {
  test(`${direction}: who sends is who the certificate says, as a peer, the same object for as long as nothing changes`, async t => {
    const { guard, facts, guards, decided, exposed } = await guardedStream(t, { direction });
    const caller = guard.caller() ?? assert.fail('nobody is there');
    assert.deepEqual([...caller.roles], ['peer']);
    assert.deepEqual(caller.identity?.uris, ['spiffe://dev/fabric/node-1']);
    assert.equal(caller.security, facts.security);
    assert.match(caller.remoteAddress, /^127\.0\.0\.1:\d+$/);
    assert.equal(guard.caller(), caller);
    assert.equal(guards.guardOf(facts), guard, 'streams over one connection share it');

    const call = interceptedCall(guard.interceptor, ECHO);
    assert.equal(call.caller, caller);
    call.end();
    assert.equal(guard.decide(caller, KIND).allowed, true);
    assert.deepEqual(
      decided.slice(-2).map(({ path, decision }) => [path, decision.allowed, decision.rule]),
      [
        [ECHO, true, 'application'],
        [`/selvedge.message/${KIND}`, true, 'application'],
      ],
    );
    const metrics = await exposed();
    assert.match(metrics, /decisions_total\{service="selvedge\.message",decision="allow"\} 1$/m);
    assert.match(
      metrics,
      /grpc_server_call_duration_seconds_count\{grpc_method="test\.Echo\/Echo",grpc_status="OK"\} \d/,
    );
    assert.doesNotMatch(metrics, /cache\.invalidate|call_started_total\{grpc_method="selvedge\.message/);
  });

  const withdrawals: Readonly<Record<string, (stream: GuardedStream, t: TestContext) => void | Promise<void>>> = {
    unknown_ca: async ({ trust }, t) => trust.set(await makeSnapshot(t)),
    subject_not_allowed: ({ admit }) => admit.set(admitting(['uri:spiffe://dev/others/*'])),
    certificate_revoked: ({ admit }) =>
      admit.set(admitUnder(settingsWith({ deniedCertificates: [parseDeniedCertificate('cn:node-1')] }))),
    'certificate_revoked by a list': async ({ trust, authority }, t) =>
      trust.set(await makeSnapshot(t, { authority, revoked: [REVOKED] })),
  };
  for (const [name, change] of Object.entries(withdrawals))
    test(`${direction}: what is withdrawn holds for the next message, and cuts the calls that run: ${name}`, async t => {
      const stream = await guardedStream(t, { direction, peer: { ...PEER, serialNumber: REVOKED } });
      const { guard } = stream;
      assert.ok(guard.caller());
      const running = interceptedCall(guard.interceptor, ECHO);
      await change(stream, t);
      assert.equal(guard.caller(), undefined, 'at once');
      const late = interceptedCall(guard.interceptor, ECHO);
      assert.equal(late.caller, undefined);
      assert.match(late.status?.details ?? '', /^connection refused: /);
      await until('the running call is cut', () => running.status !== undefined);
      const [reason = ''] = name.split(' ');
      assert.equal(running.status?.code, grpc.status.UNAVAILABLE);
      assert.match(running.status.details, new RegExp(`\\(${reason}\\)$`));
    });

  test(`${direction}: another policy holds for the next message, is heard by the audit, and cuts calls that it denies`, async t => {
    const { guard, decideBy, decided } = await guardedStream(t, { direction });
    const caller = guard.caller() ?? assert.fail();
    const running = interceptedCall(guard.interceptor, ECHO);
    const messages = { name: 'messages', request: { paths: [`/selvedge.message/${KIND}`] } };
    decideBy(goodPolicy({ name: 'p', allow_rules: [messages] }, [ECHO]));
    assert.equal(guard.caller(), caller, 'its roles are the same');
    assert.deepEqual(guard.decide(caller, KIND), { allowed: true, policy: 'p', rule: 'messages' });
    for (let times = 0; times < 2; times += 1)
      assert.deepEqual(guard.decide(caller, 'other'), { allowed: false, policy: 'p', rule: '' });
    const denials = decided.filter(({ path }) => path === '/selvedge.message/other');
    assert.equal(denials.length, 2, 'each denial is told');
    await until('the running call is cut', () => running.status !== undefined);
    assert.match(running.status?.details ?? '', /subject_not_allowed/);
    decideBy(undefined);
    assert.equal(guard.decide(caller, 'other').allowed, true);
  });

  test(`${direction}: who holds other roles than those of a peer sends nothing, nor does who opens no stream by policy`, async t => {
    const { guard, admit, decideBy } = await guardedStream(t, { direction });
    const running = interceptedCall(guard.interceptor, ECHO);
    admit.set(() => ({ admitted: true, roles: new Set(['observer']) }));
    const observer = guard.caller();
    assert.ok(observer === undefined || !guard.decide(observer, KIND).allowed);
    await until('the running call is cut', () => running.status !== undefined);
    admit.set(admitting(['*']));
    const deny = { name: 'no-streams', request: { paths: ['/selvedge.fabric.v1.Fabric/Connect'] } };
    decideBy(
      goodPolicy({ name: 'p', deny_rules: [deny], allow_rules: [{ name: 'all' }] }, [
        ECHO,
        '/selvedge.fabric.v1.Fabric/Connect',
      ]),
    );
    // The stream that the peer dialled is ended by the listener for that.
    if (direction === 'outbound') assert.equal(guard.caller(), undefined);
  });

  test(`${direction}: over a connection that is gone nobody sends`, async t => {
    const { guards, facts, disconnect } = await guardedStream(t, { direction });
    await disconnect();
    const late = guards.guardOf(facts);
    assert.equal(late.caller(), undefined);
    assert.equal(interceptedCall(late.interceptor, ECHO).status?.code, grpc.status.UNAVAILABLE);
  });
}

test('outbound: a server that is spoken to is no peer by that: its certificate must be good as that of a client here', async t => {
  const another = await createAuthority();
  const cases: readonly (readonly [string, Partial<Parameters<typeof guardedStream>[1]>])[] = [
    ['subject_not_allowed', { allowed: ['uri:spiffe://dev/fabric/node-9'] }],
    // The profile of the dial trusts its CA, the listener does not.
    ['unknown_ca', { trusted: another }],
    ['wrong_key_usage', { peer: { ...PEER, usage: 'server' } }],
  ];
  for (const [reason, options] of cases) {
    const { guard, refused, log } = await guardedStream(t, { direction: 'outbound', ...options });
    assert.equal(guard.caller(), undefined, reason);
    assert.equal(guard.caller(), undefined);
    assert.equal(interceptedCall(guard.interceptor, ECHO).caller, undefined);
    const [told, ...more] = refused;
    assert.deepEqual(more, [], 'once');
    assert.deepEqual([told?.reason, told?.direction, told?.claimedNode], [reason, 'outbound', 'node-1']);
    assert.match(told?.remoteAddress ?? '', /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(told?.identity?.uris, ['spiffe://dev/fabric/node-1']);
    const lines = log.filter(({ event }) => event === 'peer.not_admitted');
    assert.deepEqual(
      lines.map(line => [line.reason, line.node, line.connection]),
      [[reason, 'node-1', told?.connectionId]],
    );
  }
});

test('outbound: the stolen certificate of another node does not become node-1 by answering at its address', async t => {
  const thief: CertificateRequest = { commonName: 'node-3', uris: ['spiffe://dev/fabric/node-3'] };
  const { guard, outbound, refused } = await guardedStream(t, { direction: 'outbound', peer: thief });
  const ofNode = (nodeName: string) => parsePattern(`uri:spiffe://dev/fabric/${nodeName}`);
  assert.ok(guard.caller(), 'where no name is bound to a certificate, any peer may say that it is node-1');
  const running = interceptedCall(guard.interceptor, ECHO);
  const { value } = outbound;
  outbound.set({ ...value, profiles: value.profiles.map(profile => ({ ...profile, nodeIdentity: ofNode })) });
  assert.equal(guard.caller(), undefined);
  await until('its running call is cut', () => running.status !== undefined);
  assert.equal(refused[0]?.reason, 'node_identity_mismatch');
});

test('outbound: who was not admitted is, as soon as lists, anchors and rules say so', async t => {
  const { guard, admit, trust, authority, refused } = await guardedStream(t, {
    direction: 'outbound',
    allowed: ['cn:x'],
  });
  assert.equal(guard.caller(), undefined);
  admit.set(admitting(['*']));
  const caller = guard.caller() ?? assert.fail('the list names it now');
  assert.deepEqual([...caller.roles], ['peer']);
  trust.set(await makeSnapshot(t));
  assert.equal(guard.caller(), undefined);
  trust.set(await makeSnapshot(t, { authority }));
  assert.equal(guard.caller(), caller, 'the same caller');
  assert.deepEqual(
    refused.map(({ reason }) => reason),
    ['subject_not_allowed', 'unknown_ca'],
  );
});

test('inbound: over a connection that is being drained nothing new is taken, and what runs goes on', async t => {
  const { guard, drain } = await guardedStream(t, { direction: 'inbound' });
  const running = interceptedCall(guard.interceptor, ECHO);
  drain();
  assert.equal(guard.caller(), undefined);
  assert.equal(running.status, undefined);
});

test('inbound: no call goes over a stream whose connection is being drained; an ordinary one would take the next', async t => {
  const { way, drain } = await guardedStream(t, { direction: 'inbound' });
  assert.equal(way.takesCalls(), true);
  drain();
  assert.deepEqual([way.takesCalls(), way.takesMessages()], [false, true]);
});

test('outbound: no call goes over a stream once the channel has moved to another connection', async t => {
  const { way, moveOn } = await guardedStream(t, { direction: 'outbound' });
  assert.equal(way.takesCalls(), true);
  await moveOn();
  assert.deepEqual([way.takesCalls(), way.takesMessages()], [false, true]);
});

test('connections are numbered in one sequence, whoever dialled', async t => {
  const [inbound, outbound] = [
    await guardedStream(t, { direction: 'inbound' }),
    await guardedStream(t, { direction: 'outbound' }),
  ];
  const ids = [inbound.guard.caller()?.connectionId, outbound.guard.caller()?.connectionId];
  assert.ok((ids[0] ?? 0) < (ids[1] ?? 0));
});

function settingsWith(changes: Parameters<typeof tlsSettings>[0]): Parameters<typeof admitUnder>[0] {
  const none = { adminSubjectNames: [], observerSubjectNames: [], bearer: undefined };
  const tls = tlsSettings({ allowedSubjectNames: parsePatterns(['*']), ...changes });
  return { tls, authorization: { ...none, policyFile: undefined, shadowPolicyFile: undefined } };
}
