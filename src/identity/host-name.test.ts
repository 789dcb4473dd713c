import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateCoversHost } from './host-name.ts';
import type { PeerIdentity } from './peer-identity.ts';

const identity: PeerIdentity = {
  subject: 'CN=named.example',
  issuer: '',
  commonName: 'named.example',
  commonNames: ['named.example'],
  dnsNames: ['Node-1.Example.', '*.pool.example', '*.example', 'x.*.example', '10.0.0.9'],
  uris: ['https://uri.example/'],
  ipAddresses: ['10.0.0.1', '::1'],
  spiffeId: undefined,
  fingerprint256: '',
  serialNumber: '',
  notBefore: new Date(0),
  notAfter: new Date(0),
};

for (const [host, expected, why] of [
  ['node-1.example', true, 'case and a trailing dot are ignored'],
  ['NODE-1.EXAMPLE.', true, 'case and a trailing dot are ignored'],
  ['node-1.example..', false, 'but only one dot'],
  ['a.pool.example', true, 'a wildcard stands for one label'],
  ['pool.example', false, 'and not for none'],
  ['a.b.pool.example', false, 'and not for two'],
  ['other.example', false, 'a wildcard over a single label counts for nothing'],
  ['x.y.example', false, 'an inner wildcard counts for nothing'],
  ['named.example', false, 'the common name never counts'],
  ['uri.example', false, 'a URI is no host name'],
  ['*.pool.example', false, 'a wildcard is no host'],
  ['10.0.0.1', true, 'an address is compared with IP names'],
  ['::ffff:10.0.0.1', true, 'in canonical form'],
  ['0:0:0:0:0:0:0:1', true, 'in canonical form'],
  ['10.0.0.9', false, 'an address is never compared with DNS names'],
  ['', false, 'nothing is no host'],
] as const)
  test(`${JSON.stringify(host)} ${expected ? 'is' : 'is not'} covered: ${why}`, () => {
    assert.equal(certificateCoversHost(identity, host), expected);
  });
