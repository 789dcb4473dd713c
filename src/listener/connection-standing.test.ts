import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { Security } from '../rpc/security.ts';
import { ConnectionStanding, type Standing } from './connection-standing.ts';
import type { Admit } from './listener-policy.ts';

const MUTUAL_TLS: Security = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };
const TLS: Security = { kind: 'tls', protocol: 'TLSv1.3', cipher: 'x' };
const PLAINTEXT: Security = { kind: 'none', reason: 'plaintext_peer' };
const PEERS: Admit = () => ({ admitted: true, roles: new Set(['peer']) });
const NOBODY: Admit = () => ({ admitted: false, reason: 'subject_not_allowed', detail: 'no' });

test('a standing holds until something behind it changes: then it is asked again, once', async t => {
  const { standing, trust, policy, admit, authority, asked } = await connected(t);
  const first = standing.now;
  assert.ok(first.admitted);
  assert.deepEqual([...first.roles], ['peer']);
  assert.equal(standing.now, first);
  assert.equal(asked(), 1);

  trust.set(await makeSnapshot(t, { authority }));
  assert.notEqual(standing.now, first);
  policy.set({ requireClientAuth: false });
  assert.ok(standing.now.admitted);
  assert.equal(asked(), 3);
  admit.set(() => ({ admitted: true, roles: new Set(['admin']) }));
  const last = standing.now;
  assert.ok(last.admitted);
  assert.deepEqual([...last.roles], ['admin']);
});

test('a standing ends with the certificate, to the millisecond that it says', async t => {
  const notAfter = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 3_600_000);
  const { standing } = await connected(t, { notAfter });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const first = standing.now;
  assert.ok(first.admitted);
  t.mock.timers.setTime(first.validUntilMs - 1);
  assert.equal(standing.now, first);
  t.mock.timers.setTime(first.validUntilMs);
  const ended = refusalOf(standing);
  assert.deepEqual([ended.reason, ended.unauthenticated], ['certificate_expired', true]);
  assert.ok(Math.abs(first.validUntilMs - notAfter.getTime()) <= 1_000);
});

test('a removed CA, no credentials at all, and lists without the name refuse, each with its reason', async t => {
  const cases = {
    unknown_ca: async ({ trust }: Connected) => trust.set(await makeSnapshot(t)),
    no_trust: async ({ trust }: Connected) => trust.set(undefined),
    subject_not_allowed: async ({ admit }: Connected) => admit.set(NOBODY),
  };
  for (const [name, change] of Object.entries(cases)) {
    const parts = await connected(t);
    assert.ok(parts.standing.now.admitted);
    await change(parts);
    const now = refusalOf(parts.standing);
    assert.equal(now.reason, name === 'no_trust' ? 'unknown_ca' : name);
    assert.equal(now.unauthenticated, name !== 'subject_not_allowed');
  }
});

test('who was refused stays refused, whatever is trusted and allowed later', async t => {
  const { standing, trust, admit } = await connected(t);
  const good = trust.value;
  assert.ok(standing.now.admitted);
  trust.set(await makeSnapshot(t));
  const refused = refusalOf(standing);
  trust.set(good);
  assert.equal(standing.now, refused);
  admit.set(() => ({ admitted: true, roles: new Set(['admin']) }));
  assert.equal(standing.now, refused);
});

test('whom new lists no longer admit is turned away without a look at its chain, also when trust is new as well', async t => {
  const { standing, trust, admit } = await connected(t);
  assert.ok(standing.now.admitted);
  trust.set(await makeSnapshot(t));
  admit.set(NOBODY);
  const { mock } = t.mock.method(X509Certificate.prototype, 'verify');
  const now = refusalOf(standing);
  assert.deepEqual([now.reason, now.identity?.commonName], ['subject_not_allowed', 'peer']);
  assert.equal(mock.callCount(), 0);
});

test('who was never admitted is judged by its chain first, so that it learns nothing of the lists', async t => {
  const { standing, trust, admit } = await connected(t);
  trust.set(await makeSnapshot(t));
  admit.set(NOBODY);
  assert.equal(refusalOf(standing).reason, 'unknown_ca');
});

test('a peer without a certificate may stay for as long as none is asked for', async t => {
  const { standing, policy } = await connected(t, undefined, TLS, false);
  const first = standing.now;
  assert.ok(first.admitted);
  assert.deepEqual([first.identity, first.validUntilMs], [undefined, Number.POSITIVE_INFINITY]);
  policy.set({ requireClientAuth: true });
  assert.equal(refusalOf(standing).reason, 'no_certificate');
});

test('plaintext has no certificate to judge, but the lists have their say', async t => {
  const { standing, trust, admit } = await connected(t, undefined, PLAINTEXT);
  trust.set(undefined);
  assert.ok(standing.now.admitted);
  admit.set(NOBODY);
  assert.equal(refusalOf(standing).reason, 'subject_not_allowed');
});

function refusalOf({ now }: ConnectionStanding): Extract<Standing, { admitted: false }> {
  assert.ok(!now.admitted);
  return now;
}

interface Connected {
  readonly standing: ConnectionStanding;
  readonly authority: Authority;
  readonly trust: MutableValue<TrustSnapshot | undefined>;
  readonly policy: MutableValue<{ requireClientAuth: boolean }>;
  readonly admit: MutableValue<Admit>;
  /** How often the first `admit` was asked. */
  asked(): number;
}

/** A connection whose peer showed a certificate of the one trusted CA where it is mutual TLS. */
async function connected(
  t: TestContext,
  request: CertificateRequest = {},
  security: Security = MUTUAL_TLS,
  requireClientAuth = true,
): Promise<Connected> {
  const authority = await createAuthority();
  const trust = new MutableValue<TrustSnapshot | undefined>(await makeSnapshot(t, { authority }));
  const policy = new MutableValue({ requireClientAuth });
  let asked = 0;
  const admit = new MutableValue<Admit>((...peer) => {
    asked += 1;
    return PEERS(...peer);
  });
  const { certPem } = await authority.issue({ commonName: 'peer', ...request });
  const chain: PeerChain = { leafDer: new X509Certificate(certPem).raw, chain: [], authorizationError: undefined };
  const shown = security.kind === 'mutual_tls' ? chain : undefined;
  const standing = new ConnectionStanding(shown, security, { trust, policy, admit });
  return { standing, authority, trust, policy, admit, asked: () => asked };
}
