import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Explanation } from '../../src/rpc/explain-messages.ts';
import { FULL_EXPLANATION } from '../kit/explanation.ts';
import { makeConfiguredNode } from './configured-node.ts';
import { type FakeAnswers, startFakeNode } from './fake-node.ts';
import { makeDirectory, runCtl } from './programs.ts';

const CALLER: Explanation = {
  ...FULL_EXPLANATION,
  reason: '',
  expectation: null,
  refusedAtMs: 0,
  refusedReason: '',
};
const SERVER: Explanation = {
  ...CALLER,
  usage: 'server',
  direction: 'outbound',
  roles: [],
  methods: [],
  principal: '',
};
const AS_CALLER: Explanation = { ...CALLER, direction: 'outbound' };

function answering(...explanations: readonly Explanation[]): FakeAnswers {
  return { Explain: { explanations, mode: 'strict' } };
}

test('tls explain prints for each connection who it is, and as what it would be admitted', async t => {
  const node = await startFakeNode(t, answering(CALLER));
  const { stdout, exitCode } = await runCtl(['tls', 'explain', '-s', node.address, '--peer', 'node-2']);
  assert.equal(exitCode, 0);
  for (const line of [
    /^connection +7, inbound, from 10\.0\.0\.2:40000, mutual_tls$/m,
    /^as peer +by "uri:spiffe:\/\/dev\/fabric\/\*"$/m,
    /^DNS names +node-2\.example$/m,
    /^SPIFFE ID +spiffe:\/\/dev\/fabric\/node-2$/m,
    /^leaf +CN=node-2 \(trust anchor\)$/m,
    /^ +sha256 abcd$/m,
  ])
    assert.match(stdout, line);
  assert.deepEqual(node.calls, [['Explain', { subject: 'nodeName', nodeName: 'node-2', method: '', headers: [] }]]);
});

test('the JSON of tls explain begins with the fields that scripts build on', async t => {
  const node = await startFakeNode(t, answering({ ...CALLER, admitted: false, reason: 'subject_not_allowed' }));
  const { stdout, exitCode } = await runCtl(['tls', 'explain', '-s', node.address, '--connection', '7', '-o', 'json']);
  assert.equal(exitCode, 3);
  const [told] = JSON.parse(stdout);
  assert.deepEqual(Object.keys(told), [
    ...['cert', 'admitted', 'roles', 'matched', 'reason', 'detail', 'usage', 'node_name', 'connection', 'chain'],
    ...['names', 'role_patterns', 'expectation', 'proves_nodes', 'refused'],
  ]);
  const { cert, admitted, roles, matched, reason, connection } = told;
  const { pattern, kind, value } = FULL_EXPLANATION.matched ?? {};
  assert.deepEqual(
    { cert, admitted, roles, matched, reason },
    { cert: null, admitted: false, roles: ['peer'], matched: { pattern, kind, value }, reason: 'subject_not_allowed' },
  );
  assert.deepEqual(connection, {
    id: 7,
    direction: 'inbound',
    remote_address: '10.0.0.2:40000',
    security: 'mutual_tls',
  });
});

test('of a connection that the node opened, tls explain tells of the server, and authz explain of its holder as a caller', async t => {
  const node = await startFakeNode(t, answering({ ...SERVER, admitted: true }, { ...AS_CALLER, admitted: false }));
  const tls = await runCtl(['tls', 'explain', '-s', node.address, '--peer', 'node-2', '-o', 'json']);
  assert.deepEqual(
    [tls.exitCode, JSON.parse(tls.stdout).map(({ usage }: { usage: string }) => usage)],
    [0, ['server']],
  );
  const authz = await runCtl(['authz', 'explain', '-s', node.address, '--peer', 'node-2', '-o', 'json']);
  assert.deepEqual(
    [authz.exitCode, JSON.parse(authz.stdout).length, JSON.parse(authz.stdout)[0].roles],
    [3, 1, ['peer']],
  );
});

test('authz explain prints a line a method, and below it what the shadow policy would say otherwise', async t => {
  const denied = { allowed: false, policy: 'tighter', rule: 'no-buy', why: 'the deny rule matches' };
  const method = { method: '/acme.Shop/Buy', served: false, shadow: denied };
  const enforced = { allowed: true, policy: 'shop', rule: 'gold', why: 'the allow rule matches' };
  const node = await startFakeNode(t, answering({ ...CALLER, methods: [{ ...method, enforced }] }));
  const args = ['authz', 'explain', '-s', node.address, '--connection', '7'];
  const { stdout, exitCode } = await runCtl([...args, '--method', '/acme.Shop/Buy', '--header', 'plan=gold', 'a=b=c']);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^principal +spiffe:\/\/dev\/fabric\/node-2$/m);
  assert.match(stdout, /^\/acme\.Shop\/Buy \(not served\) +yes +shop +gold +the allow rule matches$/m);
  assert.match(stdout, /^ +the shadow policy would say +no +tighter +no-buy +the deny rule matches$/m);
  const agreeing = { ...enforced, policy: 'tighter', rule: 'golden' };
  const agreed = await startFakeNode(t, answering({ ...CALLER, methods: [{ ...method, enforced, shadow: agreeing }] }));
  const alike = await runCtl(['authz', 'explain', '-s', agreed.address, '--connection', '7']);
  assert.doesNotMatch(alike.stdout, /shadow/);
  const [, request] = node.calls[0] ?? [];
  assert.deepEqual(request, {
    subject: 'connectionId',
    connectionId: 7,
    method: '/acme.Shop/Buy',
    headers: [
      { key: 'plan', value: 'gold' },
      { key: 'a', value: 'b=c' },
    ],
  });
  const json = JSON.parse((await runCtl([...args, '-o', 'json'])).stdout);
  assert.deepEqual(json[0].methods, [{ method: '/acme.Shop/Buy', served: false, ...enforced, shadow: denied }]);
});

test('a method that may not be called, or somebody who is not admitted, exits 3', async t => {
  const enforced = { allowed: false, policy: 'built-in', rule: 'changing', why: 'it takes admin or local' };
  const methods = [{ method: '/a.B/C', served: true, enforced, shadow: null }];
  const node = await startFakeNode(t, answering({ ...CALLER, methods }));
  const args = ['authz', 'explain', '-s', node.address, '--peer', 'node-2'];
  assert.equal((await runCtl([...args, '--method', '/a.B/C'])).exitCode, 3);
  assert.equal((await runCtl(args)).exitCode, 0, 'without --method there are always some that it may not call');
});

test('who was refused is asked for by fingerprint or all at once, and told with the time and the reason of then', async t => {
  const refused: Explanation = {
    ...CALLER,
    connectionId: 0,
    refusedAtMs: 1_750_000_000_000,
    refusedReason: 'unknown_ca',
  };
  const node = await startFakeNode(t, answering(refused));
  const all = await runCtl(['tls', 'explain', '-s', node.address, '--refused']);
  assert.match(all.stdout, /^was refused +2025-06-15T15:06:40Z, 10\.0\.0\.2:40000: unknown_ca$/m);
  const one = await runCtl(['tls', 'explain', '-s', node.address, '--fingerprint', 'sha256:ABCD', '-o', 'json']);
  assert.deepEqual(JSON.parse(one.stdout)[0].refused, {
    at_ms: 1_750_000_000_000,
    reason: 'unknown_ca',
    remote_address: '10.0.0.2:40000',
  });
  assert.deepEqual(
    node.calls.map(([, request]) => request),
    [
      { subject: 'refused', refused: true, method: '', headers: [] },
      { subject: 'fingerprintSha256', fingerprintSha256: 'sha256:ABCD', method: '', headers: [] },
    ],
  );
  const nobody = await startFakeNode(t, answering());
  assert.deepEqual(
    JSON.parse((await runCtl(['tls', 'explain', '-s', nobody.address, '--refused', '-o', 'json'])).stdout),
    [],
  );
  assert.match(
    (await runCtl(['authz', 'explain', '-s', nobody.address, '--refused'])).stdout,
    /^No certificate was refused/,
  );
  assert.equal((await runCtl(['tls', 'explain', '-s', nobody.address, '--fingerprint', 'ab'])).exitCode, 1);
});

test('a token is asked for by its name, and never sent or repeated', async t => {
  const gone = { ...CALLER, admitted: false, reason: 'unknown_token', methods: [] };
  const node = await startFakeNode(t, answering(gone));
  const args = ['authz', 'explain', '-s', node.address, '--token-name'];
  const { stdout, exitCode } = await runCtl([...args, 'robot']);
  assert.equal(exitCode, 3);
  assert.match(stdout, /^reason +unknown_token$/m);
  assert.deepEqual(node.calls, [['Explain', { subject: 'tokenName', tokenName: 'robot', method: '', headers: [] }]]);
  const pasted = await runCtl([...args, 'selvedge_abc']);
  assert.deepEqual([pasted.exitCode, /never the token itself/.test(pasted.stderr)], [2, true], pasted.stderr);
  assert.doesNotMatch(pasted.stderr, /selvedge_abc/);
  assert.equal(node.calls.length, 1);
});

test('certificate files are sent to the node that is asked, one after the other', async t => {
  const node = await startFakeNode(t, answering({ ...CALLER, connectionId: 0, direction: '', nodeName: '' }));
  const directory = await makeDirectory(t);
  const files = ['a.pem', 'b.pem'].map(name => join(directory, name));
  for (const file of files) await writeFile(file, file);
  const { stdout } = await runCtl(['tls', 'explain', '-s', node.address, '-o', 'json', '--cert', ...files]);
  assert.deepEqual(
    JSON.parse(stdout).map(({ cert, connection }: { cert: string; connection: null }) => [cert, connection]),
    files.map(file => [file, null]),
  );
  assert.equal(node.calls.length, 2);
});

test('what is asked of nobody, of two or of the wrong one is a wrong call', async t => {
  const configured = await makeConfiguredNode(t);
  const cert = ['--cert', configured.path('certs/node-1.pem')];
  const config = ['--config', configured.config];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['tls', 'explain', ...config],
      /tls explain needs one of --cert, --peer, --connection, --fingerprint and --refused/,
    ],
    [['authz', 'explain', ...config, ...cert, '--peer', 'node-2'], /authz explain needs one of .*--token-name/],
    [['tls', 'explain', ...cert], /Say who judges/],
    [['tls', 'explain', ...config, '--peer', 'node-2', '--set', 'a=b'], /--set changes what is read from a file/],
    [['authz', 'explain', ...config, ...cert, '--header', 'novalue'], /KEY=VALUE/],
    [['authz', 'explain', ...config, ...cert, '--method', 'Drain'], /a method is written/],
    [['tls', 'explain', ...config, '--connection', 'x'], /number of a connection/],
  ];
  for (const [args, message] of cases) {
    const { exitCode, stderr } = await runCtl(args);
    assert.deepEqual([exitCode, message.test(stderr)], [2, true], `${args.join(' ')}: ${stderr}`);
  }
});

test('without a node, authz explain reads the configuration and its policy files', async t => {
  const node = await makeConfiguredNode(t);
  const { certFile } = await node.store.issueAdmin({ adminName: 'alice' });
  const method = '/selvedge.control.v1.NodeControl/Drain';
  const policy = {
    name: 'freeze',
    deny_rules: [{ name: 'no-drain', request: { paths: [method] } }],
    allow_rules: [{ name: 'all' }],
  };
  await writeFile(node.path('policy.json'), JSON.stringify(policy));
  const args = ['authz', 'explain', '--config', node.config, '--cert', certFile, '--method', method, '-o', 'json'];
  const built = await runCtl(args);
  assert.deepEqual([built.exitCode, JSON.parse(built.stdout)[0].methods[0].rule], [0, 'changing']);
  const set = `authorization.shadow-policy-file=${node.path('policy.json')}`;
  const shadowed = await runCtl([...args, '--set', set]);
  assert.deepEqual([shadowed.exitCode, JSON.parse(shadowed.stdout)[0].methods[0].shadow.rule], [0, 'no-drain']);
  const enforced = await runCtl([...args, '--set', set.replace('shadow-', '')]);
  assert.deepEqual([enforced.exitCode, JSON.parse(enforced.stdout)[0].methods[0].rule], [3, 'no-drain']);
  assert.equal(JSON.parse(enforced.stdout)[0].principal, 'spiffe://dev/admin/alice');
});
