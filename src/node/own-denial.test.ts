import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { constant } from '../lifecycle/observable-value.ts';
import { ownDenial } from './own-denial.ts';

test('a deny list that names certificates of the node itself is told, with the entry and the use of each', async t => {
  const used = await Promise.all(
    ['server', 'client'].map(async usage => {
      const request = { commonName: usage, uris: [`spiffe://dev/${usage}`] };
      return { usage, store: { snapshot: constant(await makeSnapshot(t, { request })) } };
    }),
  );
  const under = (...entries: string[]) => ownDenial(entries.map(parseDeniedCertificate), used);
  assert.equal(under(), undefined);
  assert.equal(under('uri:spiffe://dev/other'), undefined);
  assert.equal(
    under('uri:spiffe://dev/other', 'uri:spiffe://dev/client'),
    'uri:spiffe://dev/client is the client certificate of this node itself; nodes with the same list refuse it',
  );
  const issuer = used[0]?.store.snapshot.value.anchors[0]?.identity.fingerprint256;
  assert.match(under(`sha256:${issuer}`) ?? '', /^sha256:[0-9a-f]+ is the server certificate /, 'by its CA');
  assert.match(under('uri:spiffe://dev/*') ?? '', /the server certificate .*, .* the client certificate/);
});
