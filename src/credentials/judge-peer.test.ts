import assert from 'node:assert/strict';
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import { type Authority, createAuthority, openAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { openSigner, SIGNING_ALGORITHM } from '../dev-pki/signer.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { deniedBy, parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { splitPem, toPem } from '../identity/pem.ts';
import { FileContent } from './credential-bytes.ts';
import { judgePeerCertificate, type PeerChain, type PeerUsage, type PeerVerdict } from './judge-peer.ts';
import { buildTrustSnapshot, type TrustSnapshot } from './trust-snapshot.ts';

const now = new Date();
const DAY_MS = 24 * 60 * 60 * 1_000;
const inDays = (days: number): Date => new Date(now.getTime() + days * DAY_MS);

/** What a peer presents, with OpenSSL finding nothing wrong unless told otherwise. */
function present(pem: string, authorizationError?: string): PeerChain {
  const [leaf, ...chain] = splitPem(pem).map(({ der }) => der);
  assert.ok(leaf !== undefined);
  return { leafDer: leaf, chain, authorizationError };
}

/** A snapshot that trusts these authorities. */
async function trusting(authorities: readonly Authority[], crls: readonly string[] = []): Promise<TrustSnapshot> {
  const own = await (await createAuthority()).issue({ commonName: 'us' });
  const content = (text: string, index = 0): FileContent => new FileContent(`${index}`, 0o600, Buffer.from(text));
  const bytes = {
    cert: content(own.certPem),
    key: content(own.keyPem),
    ca: authorities.map(({ anchorsPem }, index) => content(anchorsPem, index)),
    crl: crls.map(content),
  };
  return buildTrustSnapshot(bytes, { generation: 1, now });
}

function reasonOf(verdict: PeerVerdict): RefusalReason | 'ok' {
  return verdict.ok ? 'ok' : verdict.reason;
}

async function judgeIssued(request: CertificateRequest, usage: PeerUsage = 'client', at = now): Promise<string> {
  const authority = await createAuthority();
  const { certPem } = await authority.issue({ commonName: 'peer', ...request });
  return reasonOf(judgePeerCertificate(present(certPem), await trusting([authority]), usage, at));
}

test('a good certificate of a known CA is let in under its own name, directly and through an intermediate', async () => {
  for (const intermediate of [false, true]) {
    const authority = await createAuthority({ intermediate });
    const { certPem } = await authority.issue({ commonName: 'peer' });
    const verdict = judgePeerCertificate(present(certPem), await trusting([authority]), 'client', now);
    assert.ok(verdict.ok);
    assert.equal(verdict.identity.commonName, 'peer');
  }
});

test('no certificate is told apart from a bad one', async () => {
  const snapshot = await trusting([await createAuthority()]);
  const verdict = judgePeerCertificate(undefined, snapshot, 'client', now);
  assert.deepEqual(verdict, {
    ok: false,
    reason: 'no_certificate',
    detail: 'no certificate was presented',
    identity: undefined,
  });
});

test('a certificate that cannot be read is malformed', async () => {
  const snapshot = await trusting([await createAuthority()]);
  const garbage = { leafDer: Buffer.from('garbage'), chain: [], authorizationError: undefined };
  assert.equal(reasonOf(judgePeerCertificate(garbage, snapshot, 'client', now)), 'malformed_certificate');
});

test('a stranger is unknown_ca even when OpenSSL found nothing wrong', async () => {
  const { certPem } = await (await createAuthority()).issue({ commonName: 'peer' });
  const snapshot = await trusting([await createAuthority()]);
  assert.equal(reasonOf(judgePeerCertificate(present(certPem), snapshot, 'client', now)), 'unknown_ca');
});

test('a CA of the same name with another key does not vouch', async () => {
  const [real, impostor] = [await createAuthority({ commonName: 'ca' }), await createAuthority({ commonName: 'ca' })];
  const { certPem } = await impostor.issue({ commonName: 'peer' });
  const chain = present(certPem + impostor.certPem);
  assert.equal(reasonOf(judgePeerCertificate(chain, await trusting([real]), 'client', now)), 'unknown_ca');
});

test('a certificate that was changed after signing is nobody, though every name in it fits', async () => {
  const authority = await createAuthority();
  const { certPem } = await authority.issue({ commonName: 'peer' });
  const { leafDer } = present(certPem);
  const forged = Buffer.from(Buffer.from(leafDer).toString('latin1').replace('peer', 'boss'), 'latin1');
  const verdict = judgePeerCertificate(
    { leafDer: forged, chain: [], authorizationError: undefined },
    await trusting([authority]),
    'client',
    now,
  );
  assert.equal(reasonOf(verdict), 'unknown_ca');
  assert.ok(!verdict.ok);
  assert.equal(verdict.identity?.commonName, 'boss');
});

test('an unknown CA wins over every other flaw', async () => {
  const stranger = await createAuthority();
  const snapshot = await trusting([await createAuthority()]);
  for (const request of [
    { notAfter: inDays(-1) },
    { notBefore: inDays(1) },
    { isCa: true },
    { usage: 'server' },
  ] as const) {
    const { certPem } = await stranger.issue({ commonName: 'peer', ...request });
    const chain = present(certPem, 'CERT_HAS_EXPIRED');
    assert.equal(reasonOf(judgePeerCertificate(chain, snapshot, 'client', now)), 'unknown_ca');
  }
});

test('a certificate that is expired or not yet valid is refused so, by the clock that is given', async () => {
  assert.equal(await judgeIssued({ notAfter: inDays(-1) }), 'certificate_expired');
  assert.equal(await judgeIssued({ notBefore: inDays(1) }), 'certificate_not_yet_valid');
  assert.equal(await judgeIssued({ notAfter: inDays(2) }, 'client', inDays(1)), 'ok');
  assert.equal(await judgeIssued({ notAfter: inDays(2) }, 'client', inDays(3)), 'certificate_expired');
});

test('an expired intermediate or anchor expires what it vouches for', async () => {
  const root = await createAuthority({ notBefore: inDays(-9), notAfter: inDays(9) });
  const intermediate = await root.issue({ commonName: 'intermediate', isCa: true, notAfter: inDays(3) });
  const authority = await openAuthority({ certPem: root.certPem, keyPem: root.keyPem, intermediate });
  const { certPem } = await authority.issue({ commonName: 'peer', notAfter: inDays(20) });
  const snapshot = await trusting([authority]);
  const at = (days: number): string =>
    reasonOf(judgePeerCertificate(present(certPem), snapshot, 'client', inDays(days)));
  assert.equal(at(2), 'ok');
  assert.equal(at(4), 'certificate_expired');
  assert.equal(at(10), 'certificate_expired');
});

test('the extended key usage must allow what the peer is here as; without one everything is allowed', async () => {
  const expected = [
    ['both', 'ok', 'ok'],
    ['none', 'ok', 'ok'],
    ['client', 'ok', 'wrong_key_usage'],
    ['server', 'wrong_key_usage', 'ok'],
    ['codeSigning', 'wrong_key_usage', 'wrong_key_usage'],
  ] as const;
  for (const [usage, asClient, asServer] of expected) {
    assert.equal(await judgeIssued({ usage }, 'client'), asClient, `${usage} as a client`);
    assert.equal(await judgeIssued({ usage }, 'server'), asServer, `${usage} as a server`);
  }
});

test('a CA certificate is no identity, though its own CA vouches for it', async () => {
  assert.equal(await judgeIssued({ isCa: true }), 'wrong_key_usage');
});

test('a revoked certificate is refused, and so is what a revoked intermediate vouches for', async () => {
  const authority = await createAuthority({ intermediate: true });
  const [bad, good] = [await authority.issue({ commonName: 'bad' }), await authority.issue({ commonName: 'good' })];
  const judge = (pem: string, snapshot: TrustSnapshot): string =>
    reasonOf(judgePeerCertificate(present(pem), snapshot, 'client', now));

  const leafRevoked = await trusting([authority], [await authority.createCrl([{ serialNumber: bad.serialNumber }])]);
  assert.equal(judge(bad.certPem, leafRevoked), 'certificate_revoked');
  assert.equal(judge(good.certPem, leafRevoked), 'ok');

  const root = await createAuthority();
  const intermediate = await root.issue({ commonName: 'intermediate', isCa: true });
  const below = await openAuthority({ certPem: root.certPem, keyPem: root.keyPem, intermediate });
  const { certPem } = await below.issue({ commonName: 'peer' });
  const crl = await root.createCrl([{ serialNumber: intermediate.serialNumber }]);
  assert.equal(judge(certPem, await trusting([root], [crl])), 'certificate_revoked');
  assert.equal(judge(certPem, await trusting([root])), 'ok');
});

test('in a CA rollover, a CRL of one CA alone or an expired one cuts nobody off', async () => {
  const [old, next] = [await createAuthority({ commonName: 'old' }), await createAuthority({ commonName: 'next' })];
  const snapshot = await trusting([old, next], [await old.createCrl([], { nextUpdate: inDays(-1) })]);
  for (const authority of [old, next]) {
    const { certPem } = await authority.issue({ commonName: 'peer' });
    assert.equal(reasonOf(judgePeerCertificate(present(certPem), snapshot, 'client', now)), 'ok');
  }
});

test('the intermediates may come in any order, with useless ones among them', async () => {
  const [a, b] = [await createAuthority({ commonName: 'a' }), await createAuthority({ commonName: 'b' })];
  const crossed = await a.issue({ commonName: 'intermediate', isCa: true });
  const issuer = await openAuthority({ certPem: a.certPem, keyPem: a.keyPem, intermediate: crossed });
  const leaf = await issuer.issue({ commonName: 'peer' });
  const strangers = await b.issue({ commonName: 'intermediate', isCa: true });
  const [leafPem = '', intermediatePem = ''] = leaf.certPem.split(/(?<=-----END CERTIFICATE-----\n)/);
  const snapshot = await trusting([a, b]);
  for (const order of [
    [leafPem, intermediatePem, strangers.certPem],
    [leafPem, strangers.certPem, b.certPem, a.certPem, intermediatePem],
  ])
    assert.equal(reasonOf(judgePeerCertificate(present(order.join('')), snapshot, 'client', now)), 'ok');
});

test('what OpenSSL found wrong refuses also where we find nothing', async () => {
  const authority = await createAuthority();
  const { certPem } = await authority.issue({ commonName: 'peer' });
  const snapshot = await trusting([authority]);
  const expected: readonly (readonly [string, RefusalReason])[] = [
    ['CERT_HAS_EXPIRED', 'certificate_expired'],
    ['INVALID_PURPOSE', 'wrong_key_usage'],
    ['CERT_REVOKED', 'certificate_revoked'],
    ['PATH_LENGTH_EXCEEDED', 'handshake_failed'],
    ['UNSPECIFIED', 'handshake_failed'],
  ];
  for (const [code, reason] of expected)
    assert.equal(reasonOf(judgePeerCertificate(present(certPem, code), snapshot, 'client', now)), reason);
});

test('the same chain is judged anew under a later snapshot', async () => {
  const [old, next] = [await createAuthority(), await createAuthority()];
  const { certPem, serialNumber } = await old.issue({ commonName: 'peer' });
  const chain = present(certPem);
  const under = (snapshot: TrustSnapshot): string => reasonOf(judgePeerCertificate(chain, snapshot, 'client', now));
  assert.equal(under(await trusting([old])), 'ok');
  assert.equal(under(await trusting([old, next])), 'ok');
  assert.equal(under(await trusting([old], [await old.createCrl([{ serialNumber }])])), 'certificate_revoked');
  assert.equal(under(await trusting([next])), 'unknown_ca');
});

test('a yes is given again without another look, until its end, for the same use, anchors and CRLs alone', async () => {
  const authority = await createAuthority();
  const issued = await authority.issue({ commonName: 'peer', notBefore: inDays(-1), notAfter: inDays(2) });
  const peer = present(issued.certPem);
  const snapshot = await trusting([authority]);
  const judge = (under: TrustSnapshot, usage: PeerUsage = 'client', at = now) =>
    judgePeerCertificate(peer, under, usage, at);
  const first = judge(snapshot);
  assert.equal(reasonOf(first), 'ok');
  assert.equal(judge(snapshot), first);
  // Another certificate of our own.
  assert.equal(judge(await trusting([authority]), 'client', inDays(1)), first);
  assert.notEqual(judge(snapshot, 'server'), first);
  for (const [under, at, reason] of [
    [snapshot, inDays(3), 'certificate_expired'],
    [snapshot, inDays(-2), 'certificate_not_yet_valid'],
    [await trusting([await createAuthority()]), now, 'unknown_ca'],
    [await trusting([authority], [await authority.createCrl([issued])]), now, 'certificate_revoked'],
  ] as const) {
    assert.equal(reasonOf(judge(snapshot)), 'ok');
    assert.equal(reasonOf(judge(under, 'client', at)), reason);
  }
});

test('a chain that is judged for both usages is searched once', async t => {
  const authority = await createAuthority();
  const snapshot = await trusting([authority]);
  const peers = [
    present((await authority.issue({ commonName: 'peer' })).certPem),
    present((await authority.issue({ commonName: 'peer', usage: 'codeSigning' })).certPem),
  ];
  const { mock } = t.mock.method(X509Certificate.prototype, 'verify');
  for (const [index, peer] of peers.entries()) {
    const reasons = (['client', 'server'] as const).map(usage =>
      reasonOf(judgePeerCertificate(peer, snapshot, usage, now)),
    );
    assert.deepEqual(new Set(reasons), new Set([index === 0 ? 'ok' : 'wrong_key_usage']));
    assert.equal(mock.callCount(), index + 1);
  }
});

test('a good chain keeps what vouched for it and other certificates of those keys, and nothing else of what came along', async () => {
  const [a, b] = [await createAuthority({ commonName: 'a' }), await createAuthority({ commonName: 'b' })];
  const underA = await a.issue({ commonName: 'intermediate', isCa: true });
  const issuer = await openAuthority({ certPem: a.certPem, keyPem: a.keyPem, intermediate: underA });
  const leaf = await issuer.issue({ commonName: 'peer' });
  const underB = await crossCertificate(b, underA.certPem);
  const junk = await Promise.all(Array.from({ length: 10 }, () => a.issue({ commonName: 'intermediate', isCa: true })));
  const chain = present([leaf.certPem, ...junk.map(({ certPem }) => certPem), underB, a.certPem].join(''));
  const [intermediate] = chain.chain;
  assert.equal(
    reasonOf(judgePeerCertificate(chain, await trusting([await createAuthority()]), 'client', now)),
    'unknown_ca',
  );
  assert.equal(chain.chain.length, 13, 'a no leaves it as it is');
  assert.equal(reasonOf(judgePeerCertificate(chain, await trusting([a]), 'client', now)), 'ok');
  assert.deepEqual(chain.chain, [intermediate, splitPem(underB)[0]?.der]);
  for (const next of [[a, b], [b], [a]])
    assert.equal(reasonOf(judgePeerCertificate(chain, await trusting(next), 'client', now)), 'ok');
  assert.equal(chain.chain.length, 2);
});

test('a yes names the CA certificates of the good paths, so that a deny list can name them', async () => {
  const authority = await createAuthority({ intermediate: true });
  const { certPem } = await authority.issue({ commonName: 'peer' });
  const verdict = judgePeerCertificate(present(certPem), await trusting([authority]), 'client', now);
  assert.ok(verdict.ok);
  const issuers = [authority.intermediate?.certPem ?? '', authority.certPem].map(pem =>
    readPeerIdentity(new X509Certificate(pem).raw),
  );
  for (const { fingerprint256, serialNumber } of issuers)
    for (const entry of [`sha256:${fingerprint256}`, `serial:${serialNumber}`])
      assert.ok(deniedBy([parseDeniedCertificate(entry)], verdict.identity), entry);
  assert.equal(verdict.identity.vouchedBy?.length, 2);
});

test('a chain of more than 32 KiB is malformed, whoever vouches for it', async () => {
  const authority = await createAuthority();
  const snapshot = await trusting([authority]);
  const { leafDer } = present((await authority.issue({ commonName: 'peer' })).certPem);
  const ofBytes = (bytes: number): string =>
    reasonOf(
      judgePeerCertificate(
        { leafDer, chain: [Buffer.alloc(bytes - leafDer.length)], authorizationError: undefined },
        snapshot,
        'client',
        now,
      ),
    );
  assert.equal(ofBytes(32_768), 'ok');
  assert.equal(ofBytes(32_769), 'malformed_certificate');
});

/** For the subject and the key of another CA certificate. */
async function crossCertificate(by: Authority, ofPem: string): Promise<string> {
  const signer = await openSigner(by);
  const of = new X509Certificate(ofPem);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: '41',
      notBefore: inDays(-1),
      notAfter: inDays(90),
      subject: 'CN=intermediate',
      issuer: signer.certificate.subject,
      publicKey: of.publicKey.export({ type: 'spki', format: 'der' }),
      signingKey: signer.key,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    },
    webcrypto,
  );
  return toPem('CERTIFICATE', new Uint8Array(certificate.rawData));
}
