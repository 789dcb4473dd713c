import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { TrustProfile } from '../connector/trust-profile.ts';
import type { TrustAnchor } from '../credentials/trust-anchors.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { parseAddress } from '../identity/address.ts';
import { parseDestination } from '../identity/destination-pattern.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import { constant } from '../lifecycle/observable-value.ts';
import { movedMembers, type ProofStandard, proofOf, provenMember } from './node-proof.ts';

const anchor = (fingerprint256: string): TrustAnchor => ({
  identity: peerIdentity({ fingerprint256 }),
  trustDomain: undefined,
  get certificate(): never {
    return assert.fail('not read');
  },
});

function profile(
  destinations: readonly string[],
  template: string | undefined,
  roots: readonly string[],
): TrustProfile {
  return {
    name: template ?? 'unbound',
    destinations: destinations.map(parseDestination),
    trust: constant<TrustSnapshot>({
      generation: 1,
      contentHash: '',
      trustHash: '',
      own: { identity: peerIdentity({}), place: '', chainPem: '', intermediates: [], usages: [], anchors: [] },
      anchors: roots.map(anchor),
      get revocations(): never {
        return assert.fail('not read');
      },
      loadedAt: new Date(0),
      warnings: [],
      secureContext: () => assert.fail('not read'),
      contextOptions: () => assert.fail('not read'),
    }),
    serverSubjectNames: [],
    nodeIdentity: template === undefined ? undefined : name => parsePattern(`${template}/${name}`),
  };
}

const STANDARD: ProofStandard = {
  outbound: {
    mode: 'optional',
    minVersion: 'TLSv1.3',
    profiles: [
      profile(['https://*.blue.example:*'], 'uri:spiffe://blue/worker', ['blue', 'both']),
      profile(['*.open.example:*'], undefined, ['open']),
      profile([], 'uri:spiffe://dev/fabric', ['dev', 'both']),
    ],
    withdrawalGraceMs: 1,
    denied: [],
  },
  anchors: ['dev', 'blue', 'both', 'open', 'clients'].map(anchor),
};
const DEV = peerIdentity({ uris: ['spiffe://dev/fabric/node-2'], spiffeId: 'spiffe://dev/fabric/node-2' });
const BLUE = peerIdentity({ uris: ['spiffe://blue/worker/node-2'], spiffeId: 'spiffe://blue/worker/node-2' });

const proves = (identity: typeof DEV | undefined, addresses: readonly string[] | undefined, name = 'node-2') =>
  proofOf({ name, addresses: addresses?.map(parseAddress) }, identity, 'mutual_tls', STANDARD).ok;

test('who says Hello proves the name that would be asked of it where it is dialled', () => {
  for (const addresses of [['n.blue.example'], ['https://N.Blue.example.:7'], ['http://n.blue.example:7']]) {
    assert.equal(proves(BLUE, addresses), true, 'also before it is known to speak TLS');
    assert.equal(proves(DEV, addresses), true, 'our CA may have given it a certificate to show to us');
    assert.deepEqual([proves(BLUE, addresses, 'node-3'), proves(DEV, addresses, 'node-3')], [false, false]);
  }
  for (const addresses of [['n.red.example'], ['unix:/a'], [], undefined]) {
    assert.equal(proves(DEV, addresses), true, 'a stranger proves what all others do');
    assert.equal(proves(BLUE, addresses), false);
  }
});

test('of a member at several destinations one of their names is enough, and one without a name proves none', () => {
  const both = ['n.blue.example', 'n.red.example'];
  assert.deepEqual([proves(DEV, both), proves(BLUE, both), proves(BLUE, both, 'node-3')], [true, true, false]);
  assert.equal(proves(peerIdentity({ commonName: 'x' }), ['n.open.example']), true);
  assert.equal(proves(peerIdentity({ commonName: 'x' }), ['n.open.example', 'n.red.example']), false);
  assert.equal(proves(undefined, ['n.red.example']), false, 'TLS without a certificate');
});

test('the CA of one family vouches for no node of another', () => {
  const by = (roots: readonly string[], who = DEV) => ({
    ...who,
    vouchedBy: roots.map(fingerprint256 => ({ fingerprint256, serialNumber: '01' })),
  });
  const red = ['n.red.example'];
  assert.equal(proves(by(['dev']), red), true);
  assert.equal(proves(by(['intermediate', 'blue']), red), false, 'a name of ours from the CA of others');
  assert.equal(proves(by(['blue']), undefined), false, 'nor for one who is no member');
  assert.equal(proves(by(['blue'], BLUE), ['n.blue.example']), true);
  assert.equal(proves(by(['dev']), ['n.blue.example']), true, 'ours gave it one to show to us');
  for (const roots of [['both'], ['blue', 'dev'], ['clients'], ['blue', 'clients']])
    assert.equal(proves(by(roots), red), true, `one of ${roots} is not of others alone`);
});

test('a certificate is that of the member whose name it proves', () => {
  const members = ['node-1', 'node-2'].map(name => ({ name, addresses: [parseAddress(`${name}.blue.example`)] }));
  assert.equal(provenMember(members, BLUE, STANDARD), 'node-2');
  assert.equal(provenMember(members, DEV, STANDARD), 'node-2');
  const open = [{ name: 'node-2', addresses: [parseAddress('n.open.example')] }];
  assert.equal(provenMember(open, BLUE, STANDARD), undefined, 'not checked is not proven');
});

test('only members whose addresses are others have moved', () => {
  const of = (name: string, address: string) => ({ name, addresses: [parseAddress(address)] });
  const before = [of('node-1', 'a:1'), of('node-2', 'b:1')];
  const after = [of('node-1', 'a:1'), of('node-2', 'b:2'), of('node-3', 'c:1')];
  assert.deepEqual([...movedMembers(before, after)], ['node-2', 'node-3']);
});
