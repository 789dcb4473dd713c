import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateState, CredentialState } from '../../src/rpc/control-messages.ts';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { DAY_MS, MINUTE_MS, NOW, REDACTED } from './samples.ts';

const certificate: CertificateState = {
  subject: 'CN=node-1',
  issuer: 'CN=dev development CA',
  names: ['spiffe://dev/fabric/node-1'],
  fingerprintSha256: 'abcdef0123456789'.repeat(4),
  serialNumber: '41',
  notBeforeMs: NOW.getTime() - DAY_MS,
  notAfterMs: NOW.getTime() - DAY_MS,
};
const credential: CredentialState = {
  usage: 'server',
  trustGeneration: 4,
  certificate,
  anchors: [{ ...certificate, subject: 'CN=dev development CA', notAfterMs: NOW.getTime() + 900 * DAY_MS }],
  loadedAtMs: NOW.getTime() - 10 * MINUTE_MS,
  lastReloadResult: 'failed',
  lastReloadAtMs: NOW.getTime() - MINUTE_MS,
  problem: 'node-1.pem: is empty',
  warnings: ['node-1.key: the private key is accessible to group or others'],
  place: '/run/spire/svids/svid.pem',
};
const state = {
  mode: 'strict',
  requireClientAuth: true,
  minVersion: 'TLSv1.3',
  allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
  credentials: [credential],
  addressesRedacted: false,
};

test('tls status shows certificates, anchors, the last reload and what is wrong', async t => {
  const node = await startFakeNode(t, { GetTlsState: state });
  const { stdout, exitCode } = await runCtl(['tls', 'status', '-s', node.address], { now: NOW });
  assert.equal(exitCode, 0);
  for (const expected of [
    /^client certificate +required$/m,
    /^allowed names +uri:spiffe:\/\/dev\/fabric\/\*$/m,
    /^server +CN=node-1 +expired +expired 1d ago +spiffe:\/\/dev\/fabric\/node-1 +abcdef0123456789 +4 +10m ago +failed 1m ago$/m,
    /^server CA +CN=dev development CA +- +expires in 2y /m,
    /^server from +\/run\/spire\/svids\/svid\.pem$/m,
    /^server problem +node-1.pem: is empty$/m,
    /^server warning +node-1.key: the private key is accessible/m,
  ])
    assert.match(stdout, expected);
});

test('tls status shows the level of a certificate by its lifetime', async t => {
  const lasting = (subject: string, lifetimeMs: number, leftMs: number): CertificateState => {
    const endMs = NOW.getTime() + leftMs;
    return { ...certificate, subject, notBeforeMs: endMs - lifetimeMs, notAfterMs: endMs };
  };
  const hourly = lasting('CN=hourly', 60 * MINUTE_MS, 30 * MINUTE_MS);
  const anchors = [lasting('CN=late', 60 * MINUTE_MS, 8 * MINUTE_MS), lasting('CN=yearly', 365 * DAY_MS, 29 * DAY_MS)];
  const node = await startFakeNode(t, {
    GetTlsState: { ...state, credentials: [{ ...credential, certificate: hourly, anchors }] },
  });
  const { stdout } = await runCtl(['tls', 'status', '-s', node.address], { now: NOW });
  assert.match(stdout, /^server +CN=hourly +- +expires in 30m /m);
  assert.match(stdout, /^server CA +CN=late +warning +expires in 8m /m);
  assert.match(stdout, /^server CA +CN=yearly +notice +expires in 29d /m);
});

test('tls status of a caller who may not see names says so', async t => {
  const redacted = { ...state, allowedSubjectNames: [], credentials: [], addressesRedacted: true };
  const node = await startFakeNode(t, { GetTlsState: redacted });
  const { stdout } = await runCtl(['tls', 'status', '-s', node.address], { now: NOW });
  assert.match(stdout, /^allowed names +\(redacted\)$/m);
  assert.match(stdout, REDACTED);
});

test('tls reload exits 1 and lists the problems when the files cannot be used', async t => {
  const node = await startFakeNode(t, {
    ReloadTls: { result: 'failed', problems: ['ca.pem: is missing'], trustGeneration: 4 },
  });
  const { stdout, exitCode } = await runCtl(['tls', 'reload', '-s', node.address]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^problems +ca.pem: is missing$/m);
});

test('tls reload of files that did not change exits 0', async t => {
  const node = await startFakeNode(t, { ReloadTls: { result: 'unchanged', problems: [], trustGeneration: 4 } });
  const { stdout, exitCode } = await runCtl(['tls', 'reload', '-s', node.address, '-o', 'json']);
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout), { result: 'unchanged', problems: [], trust_generation: 4 });
});

test('tls preflight exits 3 and lists every obstacle, a member that did not answer included', async t => {
  const answer = { from: 'optional', to: 'strict', addressesRedacted: true };
  const node = await startFakeNode(t, {
    Preflight: {
      ready: false,
      nodes: [
        {
          ...answer,
          nodeName: 'node-1',
          ready: false,
          addressesRedacted: false,
          obstacles: [],
          modeObstacles: [
            { code: 'member_in_plain', nodeName: 'node-3', detail: '' },
            { code: 'plaintext_connections', nodeName: '', detail: '2' },
          ],
        },
        { ...answer, nodeName: 'node-2', ready: true, obstacles: [], modeObstacles: [] },
        {
          ...answer,
          nodeName: 'node-4',
          ready: false,
          obstacles: [],
          modeObstacles: [{ code: 'member_without_mutual_tls', nodeName: '', detail: '' }],
        },
        { ...answer, nodeName: 'old', ready: false, obstacles: ['node-5 is elsewhere.'], modeObstacles: [] },
      ],
      unreachable: [{ nodeName: 'node-3', reason: 'silent' }],
      addressesRedacted: false,
    },
  });
  const { stdout, exitCode } = await runCtl(['tls', 'preflight', '--to', 'strict', '-s', node.address]);
  assert.equal(exitCode, 3);
  assert.deepEqual(node.calls, [['Preflight', { to: 'strict' }]]);
  for (const expected of [
    /^node-1 +optional +no +node-3 is in mode plain and could not reach this node\.$/m,
    /^ +2 plaintext connection\(s\) are open; `selvedgectl connections` shows whose\.$/m,
    /^node-2 +optional +yes +-$/m,
    /^node-4 +optional +no +A member is connected without mutual TLS\.$/m,
    /^old +optional +no +node-5 is elsewhere\.$/m,
    /^node-3 +- +no +it did not answer: silent$/m,
    /^not ready for strict$/m,
    /^Redacted: other nodes are not told whom node-4 would cut off; `selvedgectl tls preflight --to strict -s ADDRESS` /m,
  ])
    assert.match(stdout, expected);
});

test('tls preflight of a cluster that is ready exits 0', async t => {
  const node = await startFakeNode(t, {
    Preflight: { ready: true, nodes: [], unreachable: [], addressesRedacted: false },
  });
  const { stdout, exitCode } = await runCtl(['tls', 'preflight', '--to', 'optional', '-s', node.address, '-o', 'json']);
  assert.equal(exitCode, 0);
  assert.equal(JSON.parse(stdout).ready, true);
});
