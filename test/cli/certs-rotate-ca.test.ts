import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { splitPem } from '../../src/identity/pem.ts';
import { makeDirectory, runCtl } from './programs.ts';

test('certs rotate ca walks from one root to the next and says what to ask between the steps', async t => {
  const dir = await makeStore(t);
  const [old] = await rootsOf(dir);
  assert.ok(old);

  const added = await rotate(dir, 'add');
  const [, next] = await rootsOf(dir);
  assert.ok(next);
  assert.match(added.stdout, /^signing root +CN=dev development CA \([0-9a-f]{16}\)$/m);
  assert.match(added.stdout, /^also trusted +CN=dev development CA 2 \([0-9a-f]{16}\)$/m);
  assert.ok(added.stdout.includes(`ca status --safe-to switch --root ${digitsOf(next)}`));

  const switched = await rotate(dir, 'switch');
  assert.match(switched.stdout, /^renewed +node-1, admin-alice$/m);
  assert.ok(switched.stdout.includes(`ca status --safe-to drop --root ${digitsOf(old)}`));

  const dropped = await rotate(dir, 'drop');
  assert.match(dropped.stdout, /^dropped +CN=dev development CA \(/m);
  assert.deepEqual((await rootsOf(dir)).map(digitsOf), [digitsOf(next)]);
  assert.deepEqual((await readdir(dir)).sort(), [
    'admin-alice.key',
    'admin-alice.pem',
    'ca.key',
    'ca.pem',
    'node-1.key',
    'node-1.pem',
  ]);
  assert.match((await rotate(dir, 'add')).stdout, /CN=dev development CA 3 /);
});

test('certs rotate ca -o json tells roots in full', async t => {
  const dir = await makeStore(t);
  const { stdout } = await rotate(dir, 'add', '-o', 'json', '--days', '30');
  const rotation = JSON.parse(stdout);
  const [old, next] = await rootsOf(dir);
  assert.ok(old && next);
  assert.equal(rotation.changed, true);
  assert.ok(rotation.signing.fingerprint.startsWith(digitsOf(old)));
  assert.ok(rotation.others[0].fingerprint.startsWith(digitsOf(next)));
  const days = (new Date(next.validTo).getTime() - Date.now()) / 86_400_000;
  assert.ok(days > 29 && days <= 30);
});

test('a step that was done says so, and one before its turn exits 1 and names the one to do', async t => {
  const dir = await makeStore(t);
  const refused = async (step: string, remedy: RegExp) => {
    const before = await readFile(join(dir, 'ca.pem'), 'utf8');
    const { exitCode, stderr, stdout } = await rotate(dir, step);
    assert.deepEqual([exitCode, stdout], [1, '']);
    assert.match(stderr, remedy);
    assert.equal(await readFile(join(dir, 'ca.pem'), 'utf8'), before);
  };
  const repeated = async (step: string) => {
    const before = await readFile(join(dir, 'ca.pem'), 'utf8');
    assert.match((await rotate(dir, step)).stdout, /^changed +nothing: this was done already$/m);
    assert.equal(await readFile(join(dir, 'ca.pem'), 'utf8'), before);
  };
  await refused('switch', /holds one root.*--step add` first/);
  await refused('drop', /no other.*--step add` first/);
  await rotate(dir, 'add');
  await repeated('add');
  await refused('drop', /--step switch` first/);
  await rotate(dir, 'switch');
  await repeated('switch');
  await refused('add', /--step drop` first/);
  await rotate(dir, 'drop');
  await repeated('drop');
});

test('certs rotate ca that is called wrongly exits 2', async t => {
  const dir = await makeStore(t);
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['ca'], /needs --step/],
    [['--step', 'add'], /one name ca/],
    [['node-1', '--step', 'add'], /one name ca/],
    [['ca', 'node-1', '--step', 'add'], /one name ca/],
    [['ca', '--all', '--step', 'add'], /one name ca/],
    [['ca', '--step', 'remove'], /add, switch, drop/],
    [['ca', '--step', 'drop', '--days', '3'], /issues nothing/],
  ];
  for (const [args, message] of mistakes) {
    const { exitCode, stderr } = await runCtl(['certs', 'rotate', '--dir', dir, ...args]);
    assert.equal(exitCode, 2, args.join(' '));
    assert.match(stderr, message);
  }
});

function rotate(dir: string, step: string, ...more: readonly string[]) {
  return runCtl(['certs', 'rotate', 'ca', '--dir', dir, '--step', step, ...more]);
}

async function rootsOf(dir: string): Promise<X509Certificate[]> {
  return splitPem(await readFile(join(dir, 'ca.pem'), 'utf8')).map(({ der }) => new X509Certificate(der));
}

function digitsOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase().slice(0, 16);
}

async function makeStore(t: TestContext): Promise<string> {
  const dir = await makeDirectory(t);
  await runCtl(['certs', 'init', '--dir', dir, '--cluster', 'dev']);
  await runCtl(['certs', 'node', 'node-1', '--dir', dir]);
  await runCtl(['certs', 'admin', 'alice', '--dir', dir]);
  return dir;
}
