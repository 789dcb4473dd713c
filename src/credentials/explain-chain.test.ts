import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { explainChain } from './explain-chain.ts';
import { judgePeerCertificate } from './judge-peer.ts';
import { readChain } from './read-chain.ts';

const now = new Date();

test('the chain that is told is the path of the verdict, up to the anchor, whatever else was presented', async t => {
  const authority = await createAuthority({ intermediate: true, commonName: 'root' });
  const other = await createAuthority({ commonName: 'useless' });
  const { certPem } = await authority.issue({ commonName: 'peer' });
  const chain = readChain(Buffer.from(`${certPem}${other.certPem}`));
  const trust = await makeSnapshot(t, { authority });
  assert.equal(judgePeerCertificate(chain, trust, 'client', now).ok, true);
  const links = explainChain(chain, trust, 'client', now);
  assert.deepEqual(
    links.map(({ isAnchor }) => isAnchor),
    [false, false, true],
  );
  assert.equal(links[0]?.identity.commonName, 'peer');
  for (const [index, { identity }] of links.entries())
    assert.equal(links[index + 1]?.identity.subject ?? identity.subject, identity.issuer);
});

test('an expired certificate is told with its path, a stranger as it came and without an anchor', async t => {
  const authority = await createAuthority();
  const trust = await makeSnapshot(t, { authority });
  const expired = await authority.issue({ commonName: 'late', notAfter: new Date(now.getTime() - 1_000) });
  const links = explainChain(readChain(Buffer.from(expired.certPem)), trust, 'client', now);
  assert.deepEqual(
    links.map(({ isAnchor }) => isAnchor),
    [false, true],
  );
  const stranger = await createAuthority({ commonName: 'elsewhere' });
  const { certPem } = await stranger.issue({ commonName: 'x' });
  for (const snapshot of [trust, undefined]) {
    const told = explainChain(readChain(Buffer.from(`${certPem}${stranger.certPem}`)), snapshot, 'client', now);
    assert.deepEqual(
      told.map(({ identity, isAnchor }) => [identity.subject, isAnchor]),
      [
        ['CN=x', false],
        ['CN=elsewhere', false],
      ],
    );
  }
});

test('what cannot be read is left out, and too much of it too', () => {
  const junk = { leafDer: new Uint8Array(8), chain: [new Uint8Array(40_000)], authorizationError: undefined };
  assert.deepEqual(explainChain(junk, undefined, 'client', now), []);
});

test('a text with a PEM block but no certificate is malformed, other bytes are taken for DER', () => {
  const keys = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
  assert.throws(
    () => readChain(Buffer.from(keys)),
    error => isSelvedgeError(error, 'certificate_malformed'),
  );
  assert.deepEqual(readChain(Buffer.from([0x30])).leafDer, Buffer.from([0x30]));
});
