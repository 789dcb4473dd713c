import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { createAuthority } from './authority.ts';
import type { CertificateRequest } from './issue.ts';
import { adminCertificateRequest, nodeCertificateRequest } from './node-certificate.ts';

test('a node is named by CN, DNS name and SPIFFE ID, and by its hosts', async () => {
  const hosts = ['Node-1.example', '*.blue.example', '10.0.0.7', '[2001:db8::5]', '10.0.0.7', 'node-1'];
  const request = nodeCertificateRequest({ clusterName: 'dev', nodeName: 'node-1', hosts });
  const identity = await identityOf(request);
  assert.equal(identity.commonName, 'node-1');
  assert.equal(identity.spiffeId, 'spiffe://dev/fabric/node-1');
  assert.deepEqual(identity.dnsNames, ['node-1', 'Node-1.example', '*.blue.example']);
  assert.deepEqual(identity.ipAddresses, ['10.0.0.7', '2001:db8::5']);
});

test('localhost is named only when asked for', () => {
  const options = { clusterName: 'dev', nodeName: 'node-1', hosts: [] };
  assert.deepEqual(nodeCertificateRequest(options).dnsNames, ['node-1']);
  assert.deepEqual(nodeCertificateRequest(options).ipAddresses, []);
  const local = nodeCertificateRequest({ ...options, localhost: true });
  assert.deepEqual(local.dnsNames, ['node-1', 'localhost']);
  assert.deepEqual(local.ipAddresses, ['127.0.0.1', '::1']);
});

test('a node name that is no DNS name is left out of the DNS names', () => {
  for (const nodeName of ['1', 'a..b']) {
    const request = nodeCertificateRequest({ clusterName: 'dev', nodeName, hosts: [] });
    assert.deepEqual(request.dnsNames, []);
    assert.equal(request.commonName, nodeName);
  }
});

test('an admin is named by CN and SPIFFE ID, for TLS client alone', async () => {
  const request = adminCertificateRequest({ clusterName: 'dev', adminName: 'Alice' });
  const identity = await identityOf(request);
  assert.equal(identity.commonName, 'Alice');
  assert.equal(identity.spiffeId, 'spiffe://dev/admin/Alice');
  assert.equal(request.usage, 'client');
});

test('a name that cannot stand in a certificate is refused', () => {
  const node = (clusterName: string, nodeName: string, host: string) => () =>
    nodeCertificateRequest({ clusterName, nodeName, hosts: [host] });
  const usage = (error: unknown): boolean => isSelvedgeError(error, 'usage');
  for (const clusterName of ['', 'Dev', 'a b', 'a/b', 'a%62', 'a:1']) assert.throws(node(clusterName, 'n', 'h'), usage);
  for (const host of ['', 'h:5122', 'a b', 'a/b', 'fe80::1%eth0', '10.0.0.0/8', 'https://h', '[h]', '1.2.3'])
    assert.throws(node('dev', 'n', host), usage, host);
  for (const adminName of ['', '.', '..', 'a/b', '../ca', 'a b', 'ä', 'a'.repeat(64)])
    assert.throws(() => adminCertificateRequest({ clusterName: 'dev', adminName }), usage, adminName);
  assert.throws(node('dev', '../ca', 'h'), error => isSelvedgeError(error, 'node_name_invalid'));
});

async function identityOf(request: CertificateRequest): Promise<ReturnType<typeof readPeerIdentity>> {
  const { certPem } = await (await createAuthority()).issue(request);
  return readPeerIdentity(new X509Certificate(certPem).raw);
}
