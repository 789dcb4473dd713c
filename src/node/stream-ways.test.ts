import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import type { OutboundPolicy, TrustProfile } from '../connector/trust-profile.ts';
import { readChain } from '../credentials/read-chain.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { type Address, parseAddress } from '../identity/address.ts';
import { parseDestination } from '../identity/destination-pattern.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { parsePattern, parsePatterns } from '../identity/subject-name-pattern.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { Security } from '../rpc/security.ts';
import { LiveStreamWay } from './stream-ways.ts';

const NODE_1: CertificateRequest = { commonName: 'node-1', uris: ['spiffe://dev/fabric/node-1'] };
const NODE_3: CertificateRequest = { commonName: 'node-3', uris: ['spiffe://dev/fabric/node-3'] };
const HTTPS = parseAddress('https://node-1.example:5122');
const HTTP = parseAddress('http://node-1.example:5122');
const MUTUAL_TLS: Security = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };
const BOTH = { calls: true, messages: true };
const NEITHER = { calls: false, messages: false };
const MESSAGES = { calls: false, messages: true };

test('over a stream that the peer dialled calls go where the node would dial it as the same, and the peer is who it would dial', async t => {
  const { way, wayOf } = await scene(t);
  assert.deepEqual(way(), BOTH);
  assert.deepEqual((await wayOf({ peer: NODE_3 }))(), NEITHER, 'another node under the name of node-1');
  assert.deepEqual((await wayOf({ peer: { ...NODE_1, usage: 'client' } }))(), MESSAGES, 'no server could show that');
  const stranger = await createAuthority();
  assert.deepEqual((await wayOf({ authority: stranger }))(), MESSAGES, 'the profile does not trust its CA');
});

test('with another certificate as a client than as a server the node makes no calls over a stream that the peer dialled', async t => {
  const { way, trust, dialled, authority } = await scene(t);
  const shared = dialled.value;
  assert.deepEqual(way(), BOTH);
  dialled.set(await makeSnapshot(t, { authority }));
  assert.deepEqual(way(), MESSAGES);
  dialled.set(shared);
  assert.deepEqual(way(), BOTH);
  trust.set(undefined);
  assert.deepEqual(way(), MESSAGES);
  trust.set(shared);
  assert.deepEqual(way(), BOTH);
});

test('what one of the two showed before its rotation carries no call that begins after it', async t => {
  const { way, wayOf, trust, dialled, authority } = await scene(t);
  const before = dialled.value;
  const rotate = (snapshot: TrustSnapshot) => {
    trust.set(snapshot);
    dialled.set(snapshot);
  };
  rotate(await makeSnapshot(t, { authority }));
  assert.deepEqual(way(), MESSAGES, 'this node showed another certificate there');
  assert.deepEqual((await wayOf({}))(), BOTH, 'the stream that follows shows it');
  rotate(before);
  assert.deepEqual(way(), BOTH);

  const { renewed, way: rotating } = await scene(t);
  assert.deepEqual(rotating(), BOTH);
  renewed.set(await makeSnapshot(t));
  assert.deepEqual(rotating(), MESSAGES, 'the peer shows another one now, as it says');
});

test('the profile of the address counts: its CA, its certificate and whom it expects', async t => {
  const { way, outbound } = await scene(t);
  const [general = assert.fail()] = outbound.value.profiles;
  const blue: TrustProfile = { ...general, name: 'blue', destinations: [parseDestination('*.example')] };
  const withBlue = (changes: Partial<TrustProfile>) =>
    outbound.set({ ...outbound.value, profiles: [{ ...blue, ...changes }, general] });
  withBlue({ trust: new MutableValue(await makeSnapshot(t)) });
  assert.deepEqual(way(), MESSAGES, 'another certificate is shown there');
  withBlue({ nodeIdentity: () => parsePattern('uri:spiffe://blue/node-1') });
  assert.deepEqual(way(), NEITHER, 'another name is expected there');
  withBlue({ nodeIdentity: undefined, serverSubjectNames: [] });
  assert.deepEqual(way(), NEITHER, 'the host is expected there');
  withBlue({ destinations: [parseDestination('*.other.example')], trust: new MutableValue(await makeSnapshot(t)) });
  assert.deepEqual(way(), BOTH, 'it is for others');
});

test('to a certificate that has ended no call goes', async t => {
  const notAfter = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 60_000);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const { wayOf } = await scene(t);
  const way = await wayOf({ peer: { ...NODE_1, notAfter } });
  assert.deepEqual(way(), BOTH);
  t.mock.timers.setTime(notAfter.getTime() + 1_000);
  assert.deepEqual(way(), MESSAGES, 'the listener ends the stream');
});

test('over a stream that this node dialled everything goes', async t => {
  const { wayOf, dialled } = await scene(t);
  const way = await wayOf({ direction: 'outbound' });
  assert.deepEqual(way(), BOTH);
  dialled.set(await makeSnapshot(t));
  assert.deepEqual(way(), BOTH, 'it is as a client that it dialled');
});

test('no call goes in plaintext where TLS would be dialled', async t => {
  for (const direction of ['inbound', 'outbound'] as const) {
    const { wayOf, addresses, outbound } = await scene(t);
    outbound.set({ ...outbound.value, mode: 'optional' });
    const way = await wayOf({ direction, security: { kind: 'none', reason: 'plaintext_peer' } });
    assert.deepEqual(way(), MESSAGES, direction);
    addresses.set([HTTP]);
    assert.deepEqual(way(), BOTH, 'plaintext is what is dialled');
    const proven = await wayOf({ direction });
    assert.deepEqual(proven(), MESSAGES, 'an ordinary call would come from nobody');
  }
});

test('to who cannot be dialled, and to who showed no certificate, no call goes', async t => {
  const { way, wayOf, addresses, outbound } = await scene(t);
  const anonymous = await wayOf({ security: { kind: 'tls', protocol: 'TLSv1.3', cipher: 'x' } });
  assert.equal(anonymous().calls, false);
  addresses.set([]);
  assert.deepEqual(way(), NEITHER);
  addresses.set([HTTPS]);
  assert.deepEqual(way(), BOTH);
  outbound.set({ ...outbound.value, profiles: [] });
  assert.deepEqual(way(), NEITHER);
});

interface Options {
  readonly direction?: 'inbound' | 'outbound';
  readonly security?: Security;
  readonly peer?: CertificateRequest;
  readonly authority?: Authority;
}

/** A node that shows the same certificate as a server and as a client, and its stream to node-1. */
async function scene(t: TestContext) {
  const authority = await createAuthority();
  const own = await makeSnapshot(t, { authority });
  const trust = new MutableValue<TrustSnapshot | undefined>(own);
  const dialled = new MutableValue(own);
  /** What the peer says that it shows now. */
  const renewed = new MutableValue(own);
  const addresses = new MutableValue<readonly Address[]>([HTTPS]);
  const outbound = new MutableValue<OutboundPolicy>({
    mode: 'strict',
    minVersion: 'TLSv1.3',
    profiles: [
      {
        name: 'default',
        destinations: [],
        trust: dialled,
        serverSubjectNames: parsePatterns(['*']),
        nodeIdentity: nodeName => parsePattern(`uri:spiffe://dev/fabric/${nodeName}`),
      },
    ],
    withdrawalGraceMs: 0,
    denied: [],
  });
  const directory = {
    members: addresses,
    member: () => (addresses.value.length === 0 ? undefined : { addresses: addresses.value }),
  };
  const wayOf = async ({
    direction = 'inbound',
    security = MUTUAL_TLS,
    peer = NODE_1,
    authority: ca = authority,
  }: Options) => {
    const chain = readChain(Buffer.from((await ca.issue(peer)).certPem));
    const shown = security.kind === 'mutual_tls' ? chain : undefined;
    const identity = shown && readPeerIdentity(shown.leafDer);
    const introduction = { nodeName: 'node-1', serverCertificateSha256: identity?.fingerprint256 };
    const facts = { direction, security, identity, introduction };
    renewed.subscribe(({ own: { identity: now } }) => {
      facts.introduction = { ...introduction, serverCertificateSha256: now.fingerprint256 };
    });
    const presented = { chain: shown, ownFingerprint256: trust.value?.own.identity.fingerprint256 };
    const shownThere = direction === 'inbound' ? presented : undefined;
    const way = new LiveStreamWay(facts, shownThere, { trust, outbound, directory }, () => true);
    return () => ({ calls: way.takesCalls(), messages: way.takesMessages() });
  };
  return { way: await wayOf({}), wayOf, trust, dialled, renewed, addresses, outbound, authority };
}
