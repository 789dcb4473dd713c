import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeConfiguredNode } from './configured-node.ts';
import { runCtl, runSelvedge, spawnProgram } from './programs.ts';

test('a configuration that is right is ok, with what the node would be', async t => {
  const node = await makeConfiguredNode(t);
  const { stdout, stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 0);
  assert.equal(stderr, '');
  for (const expected of [
    /^ok .*node\.toml$/m,
    /^node +node-1 of cluster dev$/m,
    /^mode +strict$/m,
    /^server certificate +CN=node-1, expires in 89d$/m,
    /^peers +uri:spiffe:\/\/dev\/fabric\/\*$/m,
    /^members +node-1, node-2$/m,
  ])
    assert.match(stdout, expected);
});

test('every mistake of the configuration is a line with its place: exit 78, or 3 of selvedgectl', async t => {
  const node = await makeConfiguredNode(t);
  await node.writeConfig({ 'mode = "strict"': 'mode = "strickt"', 'bind-address': 'bind-adress' });
  const check = await runSelvedge(['check', '--config', node.config]);
  assert.equal(check.exitCode, 78);
  assert.equal(check.stdout, '');
  const lines = check.stderr.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^problem: .*node\.toml:5:1: networking\.bind-adress: .*bind-address/);
  assert.match(lines[1] ?? '', /^problem: .*node\.toml:7:1: networking\.tls\.mode: .*strickt/);

  const config = await runCtl(['config', 'check', node.config]);
  assert.equal(config.exitCode, 3);
  assert.equal(config.stderr, check.stderr);
});

test('mistakes of the configuration and of the files that it names are told together', async t => {
  const node = await makeConfiguredNode(t);
  await node.writeConfig({ 'mode = "strict"': 'mode = "strickt"', 'node-1.pem': 'nope.pem' });
  const { stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 78);
  assert.match(stderr, /^problem: .*networking\.tls\.mode: .*strickt/m);
  assert.match(stderr, /^problem: .*nope\.pem: networking\.tls\.cert-file: is missing/m);
});

test('files that the configuration names are checked, all of them at once', async t => {
  const node = await makeConfiguredNode(t);
  await node.store.issueNode({ nodeName: 'node-2', hosts: [] });
  await writeFile(node.path('certs/node-1.key'), await readFile(node.path('certs/node-2.key')));
  await writeFile(node.path('empty.pem'), '');
  await node.writeConfig({ 'source = "file"': 'source = ["file", "etcd"]' });
  await appendFile(node.config, '[networking.tls.client]\nca-file = "empty.pem"\n');
  await appendFile(node.config, '[membership.etcd]\nendpoints = ["https://127.0.0.1:2379"]\nca-file = "nope.pem"\n');
  await node.writeMembers([['node-2', 'http://127.0.0.1:5123']]);
  const { stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 78);
  assert.match(stderr, /certs\/node-1\.key: networking\.tls\.key-file: the private key does not belong/);
  assert.match(stderr, /empty\.pem: networking\.tls\.client\.ca-file: is empty/);
  assert.match(stderr, /nope\.pem: membership\.etcd\.ca-file: is missing/);
  assert.match(stderr, /members\.toml: member node-2: Only http:\/\/127\.0\.0\.1:5123 is listed/);
});

test('what is odd about profiles is told with its place, and with the other place where there is one', async t => {
  const node = await makeConfiguredNode(t);
  await appendFile(
    node.config,
    '[[networking.tls.profile]]\nname = "blue"\ndestinations = ["**.blue.example:*"]\nca-file = "certs/ca.pem"\n',
  );
  const unused = await runSelvedge(['check', '--config', node.config]);
  assert.equal(unused.exitCode, 0, unused.stderr);
  assert.match(
    unused.stderr,
    /^warning: networking\.tls\.profile\[0\]\.destinations: no member is at \*\*\.blue\.example:\*.*profile blue/m,
  );
  await appendFile(node.config, '[[networking.tls.profile]]\ndestinations = ["https://Node-1.Blue.example.:7"]\n');
  const never = await runSelvedge(['check', '--config', node.config]);
  assert.equal(never.exitCode, 78);
  assert.match(
    never.stderr,
    /node\.toml:\d+:17: networking\.tls\.profile\[1\]\.destinations: "https:\/\/Node-1\.Blue\.example\.:7" can never match: .*of profile blue\. See .*node\.toml:\d+:17\./,
  );
});

test('a missing file, an expired certificate and a broken members file are problems', async t => {
  const node = await makeConfiguredNode(t);
  const past = new Date(Date.now() - 1_000);
  await node.store.issueNode({ nodeName: 'node-1', hosts: [], notAfter: past, force: true });
  await writeFile(node.path('members.toml'), '[[member]]\nname = "Node 2"\n');
  const { stderr } = await runSelvedge(['check', '--config', node.config]);
  assert.match(stderr, /certs\/node-1\.pem: networking\.tls\.cert-file: the certificate expired/);
  assert.match(stderr, /members\.toml: member\[0\]\.name/);
  const missing = await runSelvedge(['check', '--config', node.path('nowhere.toml')]);
  assert.equal(missing.exitCode, 78);
  assert.match(missing.stderr, /nowhere\.toml: The file cannot be read/);
});

test('policy files are checked with everything else, also those of a configuration with mistakes', async t => {
  const node = await makeConfiguredNode(t);
  await appendFile(node.config, 'policy-file = "policy.json"\nshadow-policy-file = "next.json"\n');
  const example = await readFile(new URL('../../cluster-config/policy.json', import.meta.url), 'utf8');
  await writeFile(node.path('policy.json'), example);
  await writeFile(node.path('next.json'), example);
  assert.equal((await runSelvedge(['check', '--config', node.config])).exitCode, 0);

  await writeFile(node.path('policy.json'), example.replaceAll('NodeControl/Drain', 'NodeControl/Drian'));
  await writeFile(node.path('next.json'), '{\n"name": "next", "allow_rules": 1}');
  const { stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 78);
  assert.match(stderr, /policy\.json:7:\d+: deny_rules\[0\]\.request\.paths\[0\]: .*nearest are .*NodeControl\/Drain,/);
  assert.match(stderr, /next\.json:2:\d+: allow_rules: This is a number, and must be a list/);

  const text = await readFile(node.config, 'utf8');
  await writeFile(node.config, text.replace('mode = "strict"', 'mode = "strickt"').replace('next.json', 'gone.json'));
  const more = await runSelvedge(['check', '--config', node.config]);
  assert.match(more.stderr, /networking\.tls\.mode: .*strickt/);
  assert.match(more.stderr, /policy\.json:7:/);
  assert.match(more.stderr, /gone\.json: The policy file is missing\./);
});

test('a daemon that does not start says all that check says', async t => {
  const node = await makeConfiguredNode(t);
  await appendFile(node.config, 'policy-file = "policy.json"\nshadow-policy-file = "gone.json"\n');
  await writeFile(node.path('policy.json'), '{"name": "shop", "allow_rules": [{"nam": "a"}]}');
  const linesOf = async (command: 'check' | 'run'): Promise<string[]> => {
    const { stderr, exitCode } = await spawnProgram('selvedge', [command, '--config', node.config]);
    assert.equal(exitCode, 78);
    return stderr
      .trimEnd()
      .split('\n')
      .map(line => line.replace(/^(?:problem|selvedge): /, ''));
  };
  const checked = await linesOf('check');
  assert.equal(checked.length, 3);
  assert.deepEqual(await linesOf('run'), checked);
  await node.writeConfig({ 'mode = "strict"': 'mode = "strickt"', 'node-1.pem': 'nope.pem' });
  assert.equal((await linesOf('check')).length, 2);
  assert.deepEqual(await linesOf('run'), await linesOf('check'));
});

test('a node that was removed does not start, and check says so before', async t => {
  const node = await makeConfiguredNode(t);
  await node.writeMembers([['node-2', '127.0.0.1:5123']], ['node-1']);
  const { stdout, stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 78);
  assert.match(stdout + stderr, /members\.toml: removed: node-1 was removed from the cluster, and does not start\./);
  assert.doesNotMatch(stdout + stderr, /not_a_member/);
});

test('what peers with the same configuration would refuse is a warning', async t => {
  const node = await makeConfiguredNode(t);
  await node.writeConfig({
    'uri:spiffe://dev/fabric/*': 'uri:spiffe://prod/fabric/*',
    'bind-address = "127.0.0.1:0"': 'bind-address = "127.0.0.1:0"\nadvertised-address = "node-1.example"',
  });
  await node.writeMembers([['node-2', '127.0.0.1:5123']]);
  const { stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 0);
  assert.match(stderr, /^warning: networking\.tls\.allowed-subject-names does not match .*subject_not_allowed$/m);
  assert.match(stderr, /^warning: the server certificate is not for node-1\.example, .*server_identity_mismatch$/m);
  assert.match(stderr, /^warning: .*members\.toml: does not list node-1 itself; .*not_a_member$/m);
  const bound = await runSelvedge([
    'check',
    '--config',
    node.config,
    '--set',
    'networking.tls.node-identity=uri:spiffe://prod/fabric/{node-name}',
  ]);
  assert.match(bound.stderr, /^warning: networking\.tls\.node-identity asks .*node_identity_mismatch$/m);
});

test('a deny list that names the own certificate of the node is a warning', async t => {
  const node = await makeConfiguredNode(t);
  const check = (entry: string) =>
    runSelvedge(['check', '--config', node.config, '--set', `networking.tls.denied-certificates=["${entry}"]`]);
  const { stderr, exitCode } = await check('uri:spiffe://dev/fabric/node-1');
  assert.equal(exitCode, 0);
  assert.match(
    stderr,
    /^warning: networking\.tls\.denied-certificates lists uri:spiffe:\/\/dev\/fabric\/node-1, .*server certificate .*CN=node-1.*certificate_revoked$/m,
  );
  assert.equal((await check('uri:spiffe://dev/fabric/node-2')).stderr, '');
});

test('--set and the environment are laid over the file, and what they mask is said', async t => {
  const node = await makeConfiguredNode(t);
  const { stdout, stderr } = await runSelvedge(['check', '--config', node.config, '--set', 'node-name=node-2'], {
    env: { SELVEDGE_NETWORKING__TLS__MODE: 'optional' },
  });
  assert.match(stdout, /^node +node-2 of cluster dev$/m);
  assert.match(stdout, /^mode +optional$/m);
  assert.match(stderr, /networking\.tls\.mode of the file is overridden by SELVEDGE_NETWORKING__TLS__MODE/);
  assert.match(stderr, /node-name of the file is overridden by --set/);
});

test('config check -o json says the same to programs', async t => {
  const node = await makeConfiguredNode(t);
  const good = JSON.parse((await runCtl(['config', 'check', '--config', node.config, '-o', 'json'])).stdout);
  assert.equal(good.ok, true);
  assert.equal(good.mode, 'strict');
  assert.deepEqual(good.members, ['node-1', 'node-2']);
  assert.equal(good.credentials[0].subject, 'CN=node-1');

  await node.writeConfig({ '"strict"': '"strickt"' });
  const { stdout, exitCode } = await runCtl(['config', 'check', '--config', node.config, '-o', 'json']);
  assert.equal(exitCode, 3);
  const bad = JSON.parse(stdout);
  assert.equal(bad.ok, false);
  assert.equal(bad.problems[0].key, 'networking.tls.mode');
});

test('key material is never printed, whatever file it is mistaken for', async t => {
  const node = await makeConfiguredNode(t);
  const key = await readFile(node.path('certs/node-1.key'), 'utf8');
  await node.writeConfig({ 'cert-file = "certs/node-1.pem"': 'cert-file = "certs/node-1.key"' });
  const { stdout, stderr } = await runSelvedge(['check', '--config', node.config]);
  const body = key.split('\n')[1] ?? '';
  assert.ok(body.length > 20);
  assert.ok(!(stdout + stderr).includes(body));
});
