import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runCtl } from './programs.ts';

/** What the last line of a test script prints for a command line whose last word is being typed. */
const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['selvedgectl', 'tl'], ['tls']],
  [
    ['selvedgectl', 'tls', ''],
    ['status', 'reload', 'preflight', 'explain', '--help'],
  ],
  [['selvedgectl', 'tls', 'explain', '--ce'], ['--cert']],
  [['selvedgectl', 'authz', 'explain', '--me'], ['--method']],
  [['selvedgectl', 'ca', 'st'], ['status']],
  [['selvedgectl', 'ca', 'status', '--safe'], ['--safe-to']],
  [['selvedgectl', '-o', 'json', 'certs', 'ro'], ['rotate']],
  [['selvedgectl', 'certs', 'rotate', '--st'], ['--step']],
  [['selvedgectl', 'completion', 'f'], ['fish']],
  // a file name: nothing of ours, so that the shell offers its files
  [['selvedgectl', 'status', '--config', 'st'], []],
];

test('completion bash completes commands, options and choices', async t => {
  if (spawnSync('bash', ['--version']).status !== 0) return t.skip('bash is not installed');
  const { stdout, exitCode } = await runCtl(['completion', 'bash']);
  assert.equal(exitCode, 0);
  for (const [words, expected] of cases) {
    const typed = words.map(word => `'${word}'`).join(' ');
    const script = `${stdout}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _selvedgectl; echo "\${COMPREPLY[*]}"`;
    const completed = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim();
    assert.deepEqual(completed === '' ? [] : completed.split(' '), expected, words.join(' '));
  }
});

test('completion zsh and fish name every command', async () => {
  for (const shell of ['zsh', 'fish']) {
    const { stdout, exitCode } = await runCtl(['completion', shell]);
    assert.equal(exitCode, 0);
    for (const name of [
      'selvedgectl tls preflight',
      'selvedgectl certs rotate',
      'selvedgectl ca status',
      'selvedgectl config check',
    ])
      assert.ok(stdout.includes(`"${name}"`), `${shell}: ${name}`);
  }
});

test('the zsh script is one that zsh reads', async t => {
  if (spawnSync('zsh', ['--version']).status !== 0) return t.skip('zsh is not installed');
  const { stdout } = await runCtl(['completion', 'zsh']);
  assert.equal(spawnSync('zsh', ['-n'], { input: stdout }).status, 0);
});

test('the fish script is one that fish reads', async t => {
  if (spawnSync('fish', ['--version']).status !== 0) return t.skip('fish is not installed');
  const { stdout } = await runCtl(['completion', 'fish']);
  assert.equal(spawnSync('fish', ['--no-execute'], { input: stdout }).status, 0);
});

test('a shell that is not known is a usage error that names the known ones', async () => {
  const { stderr, exitCode } = await runCtl(['completion', 'tcsh']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /bash, zsh, fish/);
});
