import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import { readChain } from '../credentials/read-chain.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import { parseAddress, type TcpAddress } from '../identity/address.ts';
import { parseDestination } from '../identity/destination-pattern.ts';
import { parsePattern, parsePatterns } from '../identity/subject-name-pattern.ts';
import { constant } from '../lifecycle/observable-value.ts';
import { explainServer } from './explain-server.ts';
import type { OutboundPolicy, TrustProfile } from './trust-profile.ts';

const NOW = new Date();
const BLUE = httpsAddress('a.blue.example');
const OTHER = httpsAddress('node-2.example');

test('each destination is explained by its profile and by what that expects', async t => {
  const { policy, chain } = await setUp(t);
  const blue = explainServer('node-2', BLUE, chain, policy(), NOW);
  assert.deepEqual(
    [blue?.profile, blue?.kind, blue?.expected],
    ['profile 1', 'server_subject_names', ['dns:*.blue.example']],
  );
  assert.ok(blue?.match !== undefined && 'nearest' in blue.match);
  assert.equal(blue.match.nearest?.value, 'node-2.example');
  assert.equal(blue.verdict.ok === false && blue.verdict.reason, 'server_identity_mismatch');
  const other = explainServer('node-2', OTHER, chain, policy(), NOW);
  assert.deepEqual([other?.profile, other?.kind, other?.expected], ['default', 'host', ['node-2.example']]);
  assert.deepEqual([other?.verdict.ok, other?.match], [true, undefined]);
});

test('with node-identity the name of the member is expected, whatever the profile says', async t => {
  const { policy, chain } = await setUp(t);
  const bound = policy({}, name => parsePattern(`dns:${name}.example`));
  const known = explainServer('node-2', BLUE, chain, bound, NOW);
  assert.deepEqual([known?.kind, known?.expected, known?.verdict.ok], ['node_identity', ['dns:node-2.example'], true]);
  assert.ok(known?.match !== undefined && 'matched' in known.match);
  const another = explainServer('node-3', OTHER, chain, bound, NOW);
  assert.equal(another?.verdict.ok, false);
});

test('without a profile for the address there is nothing to explain by', async t => {
  const { policy, chain } = await setUp(t);
  assert.equal(explainServer('node-2', OTHER, chain, policy({ profiles: [] }), NOW), undefined);
});

async function setUp(t: TestContext): Promise<{
  readonly policy: (changes?: Partial<OutboundPolicy>, nodeIdentity?: TrustProfile['nodeIdentity']) => OutboundPolicy;
  readonly chain: PeerChain;
}> {
  const authority: Authority = await createAuthority();
  const trust = constant<TrustSnapshot>(await makeSnapshot(t, { authority }));
  const { certPem } = await authority.issue({ commonName: 'node-2', dnsNames: ['node-2.example'] });
  const blue = {
    name: 'profile 1',
    destinations: [parseDestination('https://*.blue.example:*')],
    trust,
    serverSubjectNames: parsePatterns(['dns:*.blue.example']),
  };
  const general = { name: 'default', destinations: [], trust, serverSubjectNames: [] };
  return {
    chain: readChain(Buffer.from(certPem)),
    policy: (changes, nodeIdentity) => ({
      mode: 'strict',
      minVersion: 'TLSv1.3',
      profiles: [blue, general].map(profile => ({ ...profile, nodeIdentity })),
      withdrawalGraceMs: 1,
      denied: [],
      ...changes,
    }),
  };
}

function httpsAddress(host: string): TcpAddress {
  const address = parseAddress(`https://${host}:5122`);
  assert.ok(address.kind === 'tcp');
  return address;
}
