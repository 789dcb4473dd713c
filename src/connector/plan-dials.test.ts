import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { parseAddress } from '../identity/address.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { parseDestination } from '../identity/destination-pattern.ts';
import { parsePattern, parsePatterns } from '../identity/subject-name-pattern.ts';
import { constant } from '../lifecycle/observable-value.ts';
import type { PlannedDial } from './dial-plan.ts';
import { planDials } from './plan-dials.ts';
import type { OutboundPolicy, TrustProfile } from './trust-profile.ts';

test('one who is no member cannot be dialled', () => {
  const plan = planDials('node-9', undefined, policy());
  assert.ok('error' in plan);
  assert.equal(plan.error.code, 'member_unknown');
});

test('a member without a usable address, and one without credentials for it, cannot be dialled, with the reason', () => {
  for (const profiles of [[], [profile({ destinations: [parseDestination('https://other:*')] })]]) {
    const plan = planDials('node-2', [parseAddress('https://a:1')], policy({ mode: 'strict', profiles }));
    assert.ok('error' in plan);
    assert.match(plan.error.message, /^no_usable_address: no credentials are configured for https:\/\/a:1/);
  }
  const plan = planDials('node-2', [parseAddress('http://a:1')], policy({ mode: 'strict' }));
  assert.ok('error' in plan);
  assert.match(plan.error.message, /^no_usable_address: /);
});

test('plaintext needs no credentials and keeps its reason', () => {
  const [dial] = dials(policy({ mode: 'plain' }), ['a:1']);
  assert.deepEqual(dial?.security, { kind: 'none', reason: 'mode_plain' });
});

test('only strict forbids to keep a plaintext connection', () => {
  for (const mode of ['plain', 'optional', 'strict'] as const) {
    const plan = planDials('node-2', [parseAddress('a:1')], policy({ mode, profiles: [profile()] }));
    assert.ok('dials' in plan);
    assert.equal(plan.mayKeepPlaintext, mode !== 'strict');
  }
});

test('nor may one be kept to a member that is spoken to over TLS alone', () => {
  const plan = planDials(
    'node-2',
    [parseAddress('https://a:1')],
    policy({ mode: 'optional', profiles: [profile()] }),
    true,
  );
  assert.ok('dials' in plan);
  assert.equal(plan.mayKeepPlaintext, false);
});

test('the first profile that matches the destination wins', () => {
  const profiles = [
    profile({
      name: 'profile 1',
      destinations: [parseDestination('https://*.blue.example:*')],
      serverSubjectNames: parsePatterns(['cn:blue']),
    }),
    profile({ name: 'profile 2', destinations: [parseDestination('https://x.blue.example:*')] }),
    profile({ name: 'default', serverSubjectNames: parsePatterns(['cn:rest']) }),
  ];
  const planned = dials(policy({ mode: 'strict', profiles }), ['https://x.blue.example:1', 'https://x.red.example:1']);
  assert.deepEqual(planned.map(expected), ['cn:blue', 'cn:rest']);
});

test('without server names the dialled host is expected; the name of a node replaces every other expectation', () => {
  assert.deepEqual(dials(policy({ mode: 'strict', profiles: [profile()] }), ['a:1']).map(expected), ['host']);
  const nodeIdentity = (name: string) => parsePattern(`uri:spiffe://dev/fabric/${name}`);
  const profiles = [profile({ serverSubjectNames: parsePatterns(['cn:rest']), nodeIdentity })];
  assert.deepEqual(dials(policy({ mode: 'strict', profiles }), ['a:1']).map(expected), [
    'uri:spiffe://dev/fabric/node-2',
  ]);
});

test('an address, a scheme, the version floor and what is shown are an epoch; whom to expect and to trust is a standard', async t => {
  const authority = await createAuthority();
  const [one, two] = [await makeSnapshot(t, { authority }), await makeSnapshot(t, { authority })];
  const base = policy({ mode: 'strict', profiles: [profile({ trust: constant(one) })] });
  const under = (trust: TrustSnapshot, changes: Partial<TrustProfile> = {}): OutboundPolicy => ({
    ...base,
    profiles: [profile({ trust: constant(trust), ...changes })],
  });
  const epochs = [
    epoch(base),
    epoch(base, 'https://a:2'),
    epoch(base, 'https://b:1'),
    epoch({ ...base, minVersion: 'TLSv1.2' }),
    epoch(under(two)),
    epoch({ ...base, mode: 'plain' }, 'http://a:1'),
  ];
  assert.equal(new Set(epochs).size, epochs.length, 'each differs from all others');
  const standards = [
    base,
    under({ ...one, contentHash: 'another bundle of anchors' }),
    under(one, { serverSubjectNames: parsePatterns(['cn:x']) }),
    under(one, { nodeIdentity: name => parsePattern(`cn:${name}`) }),
    { ...base, denied: [parseDeniedCertificate('serial:01')] },
  ].map(each => dials(each, ['https://a:1'])[0] ?? assert.fail());
  assert.deepEqual(new Set(standards.map(each => each.epoch)), new Set([epochs[0]]), 'an open connection stays');
  assert.equal(new Set(standards.map(each => each.standard)).size, standards.length, 'and is judged again');
  assert.equal(
    epoch({ ...base, mode: 'plain' }, 'http://a:1'),
    epoch({ ...base, mode: 'optional' }, 'http://a:1'),
    'plaintext is plaintext, for whatever reason',
  );
});

test('the snapshot is read anew for each plan', async t => {
  const snapshots = await twoSnapshots(t);
  let current = 0;
  const trust = {
    get value(): TrustSnapshot {
      return snapshots[current] ?? assert.fail();
    },
    subscribe: () => () => {},
  };
  const base = policy({ mode: 'strict', profiles: [profile({ trust })] });
  const before = epoch(base);
  current = 1;
  assert.notEqual(epoch(base), before);
});

async function twoSnapshots(t: TestContext): Promise<readonly TrustSnapshot[]> {
  return [await makeSnapshot(t), await makeSnapshot(t)];
}

/** Only the hash of a snapshot and what it shows count for a plan. */
const SOME_TRUST: TrustSnapshot = {
  generation: 1,
  contentHash: '00',
  trustHash: '00',
  own: { identity: peerIdentity({}), place: 'node.pem', chainPem: '', intermediates: [], usages: [], anchors: [] },
  anchors: [],
  get revocations(): never {
    throw new Error('not read');
  },
  loadedAt: new Date(0),
  warnings: [],
  secureContext: () => assert.fail('not read'),
  contextOptions: () => assert.fail('not read'),
};

function profile(changes: Partial<TrustProfile> = {}): TrustProfile {
  return {
    name: 'default',
    destinations: [],
    trust: constant(SOME_TRUST),
    serverSubjectNames: [],
    nodeIdentity: undefined,
    ...changes,
  };
}

function policy(changes: Partial<OutboundPolicy> = {}): OutboundPolicy {
  return {
    mode: 'optional',
    minVersion: 'TLSv1.3',
    profiles: [],
    withdrawalGraceMs: 5_000,
    denied: [],
    ...changes,
  };
}

function dials(policyOfNow: OutboundPolicy, addresses: readonly string[]): readonly PlannedDial[] {
  const plan = planDials('node-2', addresses.map(parseAddress), policyOfNow);
  if ('error' in plan) throw plan.error;
  return plan.dials;
}

function epoch(policyOfNow: OutboundPolicy, address = 'https://a:1'): string {
  return dials(policyOfNow, [address])[0]?.epoch ?? '';
}

function expected({ security }: PlannedDial): string {
  if (security.kind === 'none') return 'none';
  return security.expectation.kind === 'host' ? 'host' : security.expectation.patterns.map(each => each.text).join();
}
