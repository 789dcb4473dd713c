import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { tlsSettings } from '../../test/kit/tls-settings.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { parseAddress } from '../identity/address.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { splitPem } from '../identity/pem.ts';
import { parsePattern, parsePatterns } from '../identity/subject-name-pattern.ts';
import { constant } from '../lifecycle/observable-value.ts';
import type { AdmissionAnswer, AdmissionUsage } from '../messaging/admission-question.ts';
import { judgeAdmission } from './judge-admission.ts';
import type { TlsSettings } from './node-settings.ts';
import { admitUnder } from './policies.ts';

const NODE_2: CertificateRequest = {
  commonName: 'node-2',
  dnsNames: ['node-2.example'],
  uris: ['spiffe://dev/fabric/node-2'],
};
const BOUND = { nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}' };
const REVOKED = '5566778899aabbccddeeff0011223344';
const hour = 3_600_000;

test('a chain of a trusted CA with the right names is admitted, as client, as server and as both', async t => {
  const { ask } = await setUp(t, BOUND);
  for (const usages of [['client'], ['server'], ['client', 'server']] as const)
    assert.equal(await ask(NODE_2, { usages }), 'admitted');
});

test('what a handshake would be refused for is said, with what the certificate itself says', async t => {
  const { ask } = await setUp(t, BOUND);
  assert.match(await ask({ ...NODE_2, notAfter: new Date(Date.now() - hour) }), /^certificate_expired: .+/);
  assert.match(await ask({ ...NODE_2, notBefore: new Date(Date.now() + hour) }), /^certificate_not_yet_valid: .+/);
  assert.match(await ask({ ...NODE_2, usage: 'server' }), /^wrong_key_usage: .+/);
  assert.match(await ask({ ...NODE_2, usage: 'client' }), /^wrong_key_usage: .+/);
  assert.match(await ask(NODE_2, { authority: await createAuthority() }), /^unknown_ca: .+/);
  assert.equal(await ask({ ...NODE_2, serialNumber: REVOKED }), 'certificate_revoked: ');
});

test('lists count, and are not told', async t => {
  const denying = { ...BOUND, deniedCertificates: [parseDeniedCertificate('cn:node-2')] };
  assert.equal(await (await setUp(t, denying)).ask(NODE_2), 'certificate_revoked: ');
  const listing = { ...BOUND, allowedSubjectNames: parsePatterns(['cn:node-1']) };
  const { ask } = await setUp(t, listing);
  assert.equal(await ask(NODE_2), 'subject_not_allowed: ');
  assert.equal(await ask(NODE_2, { usages: ['server'] }), 'admitted', 'the list is of those who dial');
});

test('who is admitted as an observer alone could not open a stream', async t => {
  const { ask } = await setUp(t, { allowedSubjectNames: [] }, ['cn:node-2']);
  assert.equal(await ask(NODE_2), 'subject_not_allowed: ');
});

test('a certificate that does not bear the name of the one who asks is refused for that, whatever else it is', async t => {
  const { ask } = await setUp(t, BOUND);
  const other = { commonName: 'node-3', uris: ['spiffe://dev/fabric/node-3'] };
  const expected = 'node_identity_mismatch: ';
  assert.equal(await ask(other), expected);
  assert.equal(await ask({ ...other, notAfter: new Date(Date.now() - hour) }), expected);
  assert.equal(await ask(other, { authority: await createAuthority() }), expected);
});

test('without node-identity nothing is said about a certificate that shares no name with the one that is shown', async t => {
  const { ask } = await setUp(t, {});
  assert.equal(await ask(NODE_2), 'admitted');
  assert.equal(await ask({ commonName: 'other', dnsNames: ['node-2.example'] }), 'admitted');
  assert.equal(await ask({ commonName: 'other', dnsNames: ['other.example'] }), 'unsaid');
  assert.equal(await ask({ commonName: 'other' }, { authority: await createAuthority() }), 'unsaid');
});

test('as a server the certificate must be for the host that is dialled, where that counts', async t => {
  const { ask } = await setUp(t, {});
  const renamed = { ...NODE_2, dnsNames: ['elsewhere.example'] };
  assert.match(await ask(renamed, { usages: ['server'] }), /^server_identity_mismatch: /);
  assert.equal(await ask(renamed, { usages: ['client'] }), 'admitted');
});

test('a node that is no member is judged as a client alone', async t => {
  const { ask } = await setUp(t, BOUND);
  assert.equal(await ask(NODE_2, { isMember: false }), 'admitted');
  assert.equal(await ask(NODE_2, { isMember: false, usages: ['server'] }), 'unsaid');
});

test('an intermediate that is asked about is part of the path', async t => {
  const { ask } = await setUp(t, BOUND, [], await createAuthority({ intermediate: true }));
  assert.equal(await ask(NODE_2), 'admitted');
  assert.match(await ask(NODE_2, { withIntermediates: false }), /^unknown_ca: /);
});

test('what is no certificate is refused as such', async t => {
  const { judge } = await setUp(t, BOUND);
  assert.match(textOf(judge(Buffer.from('no certificate'), [], ['client'])), /^malformed_certificate: /);
});

async function setUp(
  t: TestContext,
  changes: Partial<TlsSettings>,
  observers: readonly string[] = [],
  authority?: Authority,
) {
  const ca = authority ?? (await createAuthority());
  const trust: TrustSnapshot = await makeSnapshot(t, { authority: ca, revoked: [REVOKED] });
  const tls = tlsSettings(changes);
  const nodeIdentity =
    tls.nodeIdentity === undefined ? undefined : (name: string) => parsePattern(`uri:spiffe://dev/fabric/${name}`);
  const authorization = {
    bearer: undefined,
    adminSubjectNames: [],
    observerSubjectNames: parsePatterns(observers),
    policyFile: undefined,
    shadowPolicyFile: undefined,
  };
  const shown = await ca.issue(NODE_2);
  const identity = readPeerIdentity(dersOf(shown.certPem)[0] ?? Buffer.alloc(0));
  const judge = (
    leafDer: Uint8Array,
    intermediates: readonly Uint8Array[],
    usages: readonly AdmissionUsage[],
    isMember = true,
  ) =>
    judgeAdmission(
      'node-2',
      identity,
      { leafDer, intermediates, usages },
      {
        trust,
        admit: admitUnder({ tls, authorization }),
        outbound: {
          mode: 'strict',
          minVersion: 'TLSv1.3',
          profiles: [
            { name: 'default', destinations: [], trust: constant(trust), serverSubjectNames: [], nodeIdentity },
          ],
          withdrawalGraceMs: 1,
          denied: tls.deniedCertificates,
        },
        addresses: isMember ? [parseAddress('https://node-2.example:5122')] : undefined,
        now: new Date(),
      },
    );
  const ask = async (
    request: CertificateRequest,
    options: {
      authority?: Authority;
      usages?: readonly AdmissionUsage[];
      isMember?: boolean;
      withIntermediates?: boolean;
    } = {},
  ) => {
    const { certPem } = await (options.authority ?? ca).issue(request);
    const [leafDer = Buffer.alloc(0), ...intermediates] = dersOf(certPem);
    const shownWith = options.withIntermediates === false ? [] : intermediates;
    return textOf(judge(leafDer, shownWith, options.usages ?? ['client', 'server'], options.isMember));
  };
  return { ask, judge };
}

function dersOf(pem: string): readonly Uint8Array[] {
  return splitPem(pem).map(({ der }) => new X509Certificate(der).raw);
}

function textOf(answer: AdmissionAnswer): string {
  if (!answer.judged) return 'unsaid';
  return answer.admitted ? 'admitted' : `${answer.reason}: ${answer.detail}`;
}
