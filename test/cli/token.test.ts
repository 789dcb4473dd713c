import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { parseTokens } from '../../src/authentication/token-file.ts';
import { makeConfiguredNode } from './configured-node.ts';
import { startFakeNode } from './fake-node.ts';
import { makeDirectory, runCtl, runSelvedge } from './programs.ts';

test('token new prints a token once, and a line by which nodes know it', async () => {
  const args = ['token', 'new', '--name', 'alice', '--role', 'admin,observer', '--expires', '2099-01-31', '-o', 'json'];
  const { stdout, stderr, exitCode } = await runCtl(args);
  assert.deepEqual([stderr, exitCode], ['', 0]);
  const { token, line } = JSON.parse(stdout);
  assert.match(token, /^selvedge_[\w-]{43}$/);
  assert.ok(!line.includes(token));
  const hash = createHash('sha256').update(token).digest('hex');
  assert.equal(line, `alice admin,observer sha256:${hash} 2099-01-31T00:00:00Z`);
  assert.ok('entries' in parseTokens(line));
  const again = await runCtl(['token', 'new', '--name', 'alice', '--role', 'observer']);
  assert.match(again.stdout, /^token +selvedge_\S+\nline +alice observer sha256:[0-9a-f]{64}\n$/);
  assert.ok(!again.stdout.includes(token));
});

test('what token new cannot make is a usage error', async () => {
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['--role', 'admin'], /--name/],
    [['--name', 'alice'], /--role/],
    [['--name', 'a b', '--role', 'admin'], /letters, digits/],
    [['--name', 'alice', '--role', 'peer'], /admin, observer/],
    [['--name', 'alice', '--role', 'admin', '--expires', 'tomorrow'], /2027-01-31/],
    [['--name', 'alice', '--role', 'admin', '--expires', '2020-01-31'], /lies in the past/],
  ];
  for (const [args, message] of mistakes) {
    const { stdout, stderr, exitCode } = await runCtl(['token', 'new', ...args]);
    assert.deepEqual([stdout, exitCode], ['', 2], args.join(' '));
    assert.match(stderr, message);
  }
});

test('a token is never an argument', async () => {
  const { stderr, exitCode } = await runCtl(['status', '--token', 'selvedge_x']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /unknown option/);
});

test('a token goes over http:// only when that is said twice, and never over a unix socket', async t => {
  const seen: string[][] = [];
  const node = await startPlainNode(t, metadata => seen.push(metadata.get('authorization').map(String)));
  const file = await tokenFile(t, 'selvedge_secret\n');
  const refused = await runCtl(['health', '-s', node, '--token-file', file]);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /is plaintext, and a token is given\. Write https:\/\//);
  assert.deepEqual(seen, []);
  for (const [args, env] of [
    [['--token-file', file], {}],
    [[], { SELVEDGECTL_TOKEN_FILE: file }],
    [[], { SELVEDGECTL_TOKEN: 'selvedge_secret' }],
    [['--token-file', file], { SELVEDGECTL_TOKEN: 'selvedge_other' }],
  ] as const)
    await runCtl(['health', '-s', node, '--allow-plaintext', ...args], { env });
  assert.deepEqual(
    seen,
    Array.from({ length: 4 }, () => ['Bearer selvedge_secret']),
  );

  const local = await startFakeNode(t, { Drain: { state: 'draining' } });
  const { stdout } = await runCtl(['drain', '-s', local.address, '--token-file', file]);
  assert.equal(stdout, 'draining\n');
});

test('a token that cannot be used is said without it', async t => {
  const [secret, directory] = ['selvedge_secret\nselvedge_secret2', await makeDirectory(t)];
  const run = (env: Readonly<Record<string, string>>) => runCtl(['health', '-s', 'unix:/nowhere'], { env });
  const two = await run({ SELVEDGECTL_TOKEN: secret });
  assert.deepEqual([two.exitCode, two.stdout], [1, '']);
  assert.match(two.stderr, /SELVEDGECTL_TOKEN holds no token/);
  assert.ok(!two.stderr.includes('secret'));
  assert.match((await run({ SELVEDGECTL_TOKEN_FILE: join(directory, 'none') })).stderr, /cannot be read: ENOENT/);
  const both = await run({ SELVEDGECTL_TOKEN_FILE: join(directory, 'none'), SELVEDGECTL_TOKEN: 'x' });
  assert.equal(both.exitCode, 2);
  assert.match(both.stderr, /both set/);
});

test('a token file that others can read is a warning', async t => {
  const file = await tokenFile(t, 'selvedge_secret');
  await chmod(file, 0o644);
  const { stderr } = await runCtl(['health', '-s', 'unix:/nowhere', '--token-file', file]);
  assert.match(stderr, /^warning: .*accessible to group or others \(mode 0644\)$/m);
});

test('the token file and the key set are checked with all mistakes, whether or not the configuration has some', async t => {
  const node = await makeConfiguredNode(t);
  const authorization = `auth = ["mtls", "token", "jwt"]
token-file = "tokens"
[authorization.jwt]
issuer = "https://i.example"
audience = "selvedge"
jwks-file = "jwks.json"
admin-values = "root"
`;
  await writeFile(node.path('tokens'), 'alice root sha256:00\n\nbob\n', { mode: 0o600 });
  await writeFile(node.path('jwks.json'), '{"keys":[{"kty":"oct","k":"c2VjcmV0"},7]}');
  const said = [
    /tokens:1: authorization\.token-file: The second field is no list of roles\./,
    /tokens:1: authorization\.token-file: The third field is no hash\./,
    /tokens:3: authorization\.token-file: It has 1 fields\./,
    /jwks\.json: authorization\.jwt\.jwks-file: keys\[0\] is symmetric/,
    /jwks\.json: authorization\.jwt\.jwks-file: keys\[1\] is no object/,
  ];
  for (const changes of [{}, { 'mode = "strict"': 'mode = "strickt"' }]) {
    await node.writeConfig({
      '[authorization]\n': `[authorization]\n${authorization}`,
      'admin-subject-names = ["uri:spiffe://dev/admin/*"]': '',
      ...changes,
    });
    const { stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
    assert.equal(exitCode, 78);
    for (const line of said) assert.match(stderr, line);
    assert.doesNotMatch(stderr, /c2VjcmV0/);
  }
  await writeFile(node.path('tokens'), '# nobody yet\n', { mode: 0o644 });
  await chmod(node.path('tokens'), 0o644);
  await writeFile(node.path('jwks.json'), '{"keys":[]}');
  await node.writeConfig({
    '[authorization]\n': `[authorization]\n${authorization}`,
    'admin-subject-names = ["uri:spiffe://dev/admin/*"]': '',
  });
  const { stdout, stderr, exitCode } = await runSelvedge(['check', '--config', node.config]);
  assert.equal(exitCode, 0, stderr);
  for (const line of [/mode 0644/, /holds no token/, /holds no key/]) assert.match(stderr, line);
  assert.match(stdout, /^tokens from +.*tokens$/m);
  assert.match(stdout, /^JWTs of +https:\/\/i\.example$/m);
});

async function tokenFile(t: TestContext, text: string): Promise<string> {
  const file = join(await makeDirectory(t), 'token');
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** Answers nothing, and tells what came. */
async function startPlainNode(t: TestContext, onCall: (metadata: grpc.Metadata) => void): Promise<string> {
  const identity = (bytes: Buffer) => bytes;
  const server = new grpc.Server();
  const Check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  const check: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    onCall(call.metadata);
    reply(null, Buffer.from([0x08, 0x01]));
  };
  server.addService({ Check }, { Check: check });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  t.after(() => server.forceShutdown());
  return `http://127.0.0.1:${port}`;
}
