import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { admitting, makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { type InterceptedCall, interceptedCall } from '../../test/kit/intercepted-call.ts';
import { createAuthorizer } from '../authorization/authorizer.ts';
import { readChain } from '../credentials/read-chain.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { constant, MutableValue } from '../lifecycle/observable-value.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Security } from '../rpc/security.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { DialledPeer } from './dialled-peer.ts';

const ECHO = '/test.Echo/Echo';
const GRACE_MS = 5_000;
const MUTUAL_TLS: Security = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };
const PLAINTEXT: Security = { kind: 'none', reason: 'plaintext_peer' };

test('running calls end after the grace, new ones at once; who is admitted again meanwhile keeps them', async t => {
  const { peer, admit } = await dialled(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const running = interceptedCall(peer.calls.interceptor, ECHO);
  const before = admit.value;
  admit.set(admitting(['cn:nobody']));
  peer.review();
  assert.equal(interceptedCall(peer.calls.interceptor, ECHO).caller, undefined);
  t.mock.timers.tick(GRACE_MS - 1);
  assert.equal(running.status, undefined);
  admit.set(before);
  peer.review();
  t.mock.timers.tick(2 * GRACE_MS);
  assert.equal(running.status, undefined);
  assert.ok(peer.caller());

  admit.set(admitting(['cn:nobody']));
  peer.review();
  t.mock.timers.tick(GRACE_MS);
  assert.match(detailsOf(running), /no longer admits .*\(subject_not_allowed\)/);
});

test('nobody sends with a certificate that has ended, and the calls that run end with it', async t => {
  const notAfter = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 60_000);
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
  const { peer, refused } = await dialled(t, { request: { notAfter } });
  const running = interceptedCall(peer.calls.interceptor, ECHO);
  t.mock.timers.tick(notAfter.getTime() - Date.now() - 1);
  assert.ok(peer.caller());
  assert.equal(running.status, undefined);
  t.mock.timers.tick(2_000);
  assert.equal(peer.caller(), undefined);
  assert.match(detailsOf(running), /\(certificate_expired\)/);
  assert.deepEqual(
    refused.map(({ reason }) => reason),
    ['certificate_expired'],
  );
});

test('in plaintext who was dialled is anonymous, and as much as the mode gives that', async t => {
  const { peer, strict } = await dialled(t, { security: PLAINTEXT });
  const caller = peer.caller() ?? assert.fail();
  assert.deepEqual([[...caller.roles], caller.identity], [['anonymous'], undefined]);
  strict();
  assert.equal(peer.caller(), undefined);
});

test('nothing at all is taken while this node trusts nobody, and without a chain over TLS nobody is anonymous', async t => {
  const { peer, trust } = await dialled(t);
  assert.ok(peer.caller());
  trust.set(undefined);
  assert.equal(peer.caller(), undefined);
  assert.equal((await dialled(t, { withoutChain: true })).peer.caller(), undefined);
});

function detailsOf({ status }: InterceptedCall): string {
  return status?.details ?? '';
}

async function dialled(
  t: TestContext,
  options: { request?: CertificateRequest; security?: Security; withoutChain?: boolean } = {},
) {
  const { request = {}, security = MUTUAL_TLS, withoutChain = false } = options;
  const authority = await createAuthority();
  const { certPem } = await authority.issue({ commonName: 'node-1', uris: ['spiffe://dev/fabric/node-1'], ...request });
  const chain = security.kind === 'none' || withoutChain ? undefined : readChain(Buffer.from(certPem));
  const trust = new MutableValue<TrustSnapshot | undefined>(await makeSnapshot(t, { authority }));
  const admit = new MutableValue(admitting(['cn:node-1']));
  const authorizer = (strict: boolean) => createAuthorizer({ policy: undefined, strict }, new Set());
  const authorize = new MutableValue(authorizer(security.kind !== 'none'));
  const refused: RefusedPeer[] = [];
  const connection = {
    id: 7,
    nodeName: 'node-1',
    address: `${security.kind === 'none' ? 'http' : 'https'}://127.0.0.1:5122`,
    security,
    identity: chain && readPeerIdentity(chain.leafDer),
    openedAt: new Date(),
  };
  const peer = new DialledPeer(connection, chain, {
    trust,
    admit,
    outbound: constant({ mode: 'strict', minVersion: 'TLSv1.3', profiles: [], withdrawalGraceMs: 0, denied: [] }),
    directory: { members: constant(undefined), member: () => undefined },
    rules: { authorize },
    graceMs: () => GRACE_MS,
    refused: each => refused.push(each),
    onCallFailed: (_path, error) => assert.fail(String(error)),
    logger: silentLogger,
    metrics: createMetrics(),
  });
  t.after(() => peer.close());
  return { peer, trust, admit, refused, strict: () => authorize.set(authorizer(true)) };
}
