import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeDirectory, runCtl } from './programs.ts';

test('certs init, node and admin make what certs list shows', async t => {
  const dir = join(await makeDirectory(t), 'certs');
  const steps = [
    ['certs', 'init', '--dir', dir, '--cluster', 'dev', '--intermediate'],
    ['certs', 'node', 'node-1', '--dir', dir, '--host', 'a.example,10.0.0.1', 'b.example', '--localhost'],
    ['certs', 'admin', 'alice', '--dir', dir, '--days', '30'],
  ];
  for (const args of steps) assert.deepEqual(pick(await runCtl(args)), { stderr: '', exitCode: 0 });

  const { stdout } = await runCtl(['certs', 'list', '--dir', dir, '-o', 'json']);
  const certificates = JSON.parse(stdout);
  assert.deepEqual(
    certificates.map(({ name, kind }: { name: string; kind: string }) => [name, kind]),
    [
      ['ca', 'ca'],
      ['intermediate', 'intermediate'],
      ['node-1', 'node'],
      ['admin-alice', 'admin'],
    ],
  );
  const [, , node, admin] = certificates;
  assert.deepEqual(node.uris, ['spiffe://dev/fabric/node-1']);
  assert.deepEqual(node.dns_names, ['node-1', 'a.example', 'b.example', 'localhost']);
  assert.deepEqual(node.ip_addresses, ['10.0.0.1', '127.0.0.1', '::1']);
  assert.deepEqual(admin.problems, []);
  const days = (Date.parse(admin.not_after) - Date.now()) / 86_400_000;
  assert.ok(days > 29.9 && days <= 30);
  assert.equal((await stat(join(dir, 'node-1.key'))).mode & 0o777, 0o600);

  const table = await runCtl(['certs', 'list', '--dir', dir]);
  assert.match(table.stdout, /^admin-alice +admin +expires in 29d +spiffe:\/\/dev\/admin\/alice /m);
});

test('certs init -o json names the file to trust', async t => {
  const dir = await makeDirectory(t);
  const { stdout } = await runCtl(['certs', 'init', '--dir', dir, '--cluster', 'dev', '-o', 'json']);
  assert.deepEqual(JSON.parse(stdout), {
    directory: dir,
    cluster: 'dev',
    ca_file: join(dir, 'ca.pem'),
    name: 'dev development CA',
  });
});

test('nothing is replaced without --force', async t => {
  const dir = await makeStore(t);
  const before = await readFile(join(dir, 'node-1.pem'));
  const refused = await runCtl(['certs', 'node', 'node-1', '--dir', dir]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /node-1\.pem is there already\. Give --force to replace it\.$/m);
  assert.deepEqual(await readFile(join(dir, 'node-1.pem')), before);
  assert.equal((await runCtl(['certs', 'node', 'node-1', '--dir', dir, '--force'])).exitCode, 0);
  assert.notDeepEqual(await readFile(join(dir, 'node-1.pem')), before);
});

test('certs rotate renews one certificate, or all of them but the CA', async t => {
  const dir = await makeStore(t);
  const files = ['ca.pem', 'node-1.pem', 'node-1.key', 'admin-alice.pem'];
  const contents = () => Promise.all(files.map(file => readFile(join(dir, file), 'utf8')));
  const changes = async (args: readonly string[]) => {
    const before = await contents();
    const { exitCode, stdout } = await runCtl(['certs', 'rotate', '--dir', dir, '-o', 'json', ...args]);
    assert.equal(exitCode, 0);
    const after = await contents();
    return { changed: files.filter((_, index) => before[index] !== after[index]), rotated: JSON.parse(stdout).length };
  };
  assert.deepEqual(await changes(['node-1']), { changed: ['node-1.pem', 'node-1.key'], rotated: 1 });
  assert.deepEqual(await changes(['--all']), { changed: ['node-1.pem', 'node-1.key', 'admin-alice.pem'], rotated: 2 });
});

test('what certs does not understand exits 2, what it cannot do exits 1', async t => {
  const dir = await makeStore(t);
  const empty = await makeDirectory(t);
  const mistakes: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['init', '--dir', empty], 2, /--cluster/],
    [['init', '--dir', empty, '--cluster', 'Dev!'], 2, /trust domain/],
    [['node', 'Node_1', '--dir', dir], 2, /not a node name/],
    [['node', 'node-2', '--dir', dir, '--host', 'a:5122'], 2, /without a port/],
    [['node', 'node-2', '--dir', dir, '--days', '0'], 2, /whole number of days/],
    [['node', '--dir', dir], 2, /name/],
    [['rotate', '--dir', dir], 2, /a name, or --all/],
    [['rotate', 'node-1', '--all', '--dir', dir], 2, /a name, or --all/],
    [['rotate', 'node-9', '--dir', dir], 1, /node-9\.pem: there is no such file/],
    [['node', 'node-2', '--dir', empty], 1, /There is no CA in .*certs init/],
    [['list', '--dir', join(empty, 'nowhere')], 1, /nowhere/],
  ];
  for (const [args, expected, message] of mistakes) {
    const { stdout, stderr, exitCode } = await runCtl(['certs', ...args]);
    assert.equal(exitCode, expected, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.ok(!stderr.includes('    at '), 'no stack trace');
  }
});

async function makeStore(t: TestContext): Promise<string> {
  const dir = await makeDirectory(t);
  await runCtl(['certs', 'init', '--dir', dir, '--cluster', 'dev']);
  await runCtl(['certs', 'node', 'node-1', '--dir', dir]);
  await runCtl(['certs', 'admin', 'alice', '--dir', dir]);
  return dir;
}

function pick({ stderr, exitCode }: { stderr: string; exitCode: number }): object {
  return { stderr, exitCode };
}
