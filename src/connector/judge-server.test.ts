import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { judgeServer } from './judge-server.ts';

test('a server that was good and is denied now is refused without a look at its chain; a new one is judged by it first', async t => {
  const authority = await createAuthority();
  const { certPem } = await authority.issue({ commonName: 'server' });
  const chainOf = (): PeerChain => ({
    leafDer: new X509Certificate(certPem).raw,
    chain: [],
    authorizationError: undefined,
  });
  const expectation = { kind: 'names', patterns: [] } as const;
  const trust = await makeSnapshot(t, { authority });
  const known = chainOf();
  const judge = (chain: PeerChain, under = trust, denied: readonly string[] = ['cn:server']) => {
    const standard = { trust: under, expectation, denied: denied.map(parseDeniedCertificate), host: 'a' };
    const verdict = judgeServer(chain, standard, new Date());
    return verdict.ok ? 'ok' : verdict.reason;
  };
  assert.equal(judge(known, trust, []), 'server_identity_mismatch', 'its chain is good, its name is not expected');
  const other = await makeSnapshot(t);
  const { mock } = t.mock.method(X509Certificate.prototype, 'verify');
  assert.equal(judge(known, other), 'certificate_revoked');
  assert.equal(mock.callCount(), 0);
  assert.equal(judge(chainOf(), other), 'unknown_ca');
});
