import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { pathOf } from '../../src/cli/run-program.ts';
import { selvedgeProgram } from '../../src/cli/selvedge-program.ts';
import { selvedgectlProgram } from '../../src/cli/selvedgectl-program.ts';
import { paintNothing } from '../../src/cli/terminal.ts';
import { makeDirectory, type ProgramRun, runCtl, runSelvedge, spawnProgram } from './programs.ts';

test('every command has a help text with examples, and exits 0 for it', async () => {
  for (const { program, run } of programs()) {
    for (const command of commandsOf(program)) {
      const path = pathOf(command).split(' ').slice(1);
      const { stdout, exitCode } = await run([...path, '--help']);
      assert.equal(exitCode, 0, pathOf(command));
      assert.match(stdout, new RegExp(`^Usage: ${pathOf(command)}`, 'm'));
      if (command.commands.length === 0) assert.match(stdout, /^Examples:$/m, pathOf(command));
    }
  }
});

test('every example of a help text is a command line that exists', async () => {
  for (const { program, run } of programs()) {
    for (const command of commandsOf(program)) {
      const path = pathOf(command).split(' ').slice(1);
      const { stdout } = await run([...path, '--help']);
      for (const [, words = ''] of stdout.matchAll(new RegExp(`${program.name()} ([a-z]+(?: [a-z]+)*)`, 'g'))) {
        const [first = ''] = words.split(' ');
        const known = program.commands.map(child => child.name());
        assert.ok(known.includes(first), `${pathOf(command)}: ${words}`);
      }
    }
  }
});

test('a command line that is not understood exits 2 and says where to look', async () => {
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /^Usage: selvedgectl/m],
    [['tls'], /^Usage: selvedgectl tls/m],
    [['statsu'], /Did you mean status\?/],
    [['status', '--adress', 'x'], /Did you mean --address\?[\s\S]*selvedgectl status --help/],
    [['status', 'extra'], /too many arguments/],
    [['tls', 'preflight'], /--to/],
    [['tls', 'preflight', '--to', 'stict'], /plain, optional, strict/],
    [['tls', 'explain', '--config', 'x.toml'], /--cert/],
  ];
  for (const [args, message] of mistakes) {
    const { stdout, stderr, exitCode } = await runCtl(args);
    assert.equal(exitCode, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
  assert.equal((await runSelvedge(['run'])).exitCode, 2);
  assert.equal((await runSelvedge(['check', '--config'])).exitCode, 2);
});

test('--version is that of the package', async () => {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  assert.equal((await runCtl(['--version'])).stdout, `${manifest.version}\n`);
  assert.equal((await runSelvedge(['--version'])).stdout, `${manifest.version}\n`);
});

test('the programs write to their streams, exit with their codes, and never show a stack trace', async t => {
  const directory = await makeDirectory(t);
  const nowhere = join(directory, 'nowhere.toml');
  const runs = await Promise.all([
    spawnProgram('selvedgectl', ['certs', 'init', '--dir', join(directory, 'certs'), '--cluster', 'dev']),
    spawnProgram('selvedgectl', ['certs', 'list', '--dir', nowhere]),
    spawnProgram('selvedgectl', ['certs', 'lst']),
    spawnProgram('selvedge', ['check', '--config', nowhere]),
    spawnProgram('selvedge', ['run', '--config', nowhere]),
  ]);
  assert.deepEqual(
    runs.map(({ exitCode }) => exitCode),
    [0, 1, 2, 78, 78],
  );
  const [made, ...failed] = runs;
  assert.match(made?.stdout ?? '', /^trust it with +ca-file = ".*ca\.pem"$/m);
  assert.equal(made?.stderr, '');
  for (const { stdout, stderr } of failed) {
    assert.equal(stdout, '');
    assert.notEqual(stderr, '');
    assert.ok(!stderr.includes('    at '), stderr);
  }
  assert.match(runs[4]?.stderr ?? '', /^selvedge: .*nowhere\.toml: The file cannot be read/);
});

interface Program {
  readonly program: Command;
  readonly run: (args: readonly string[]) => Promise<ProgramRun>;
}

function programs(): readonly Program[] {
  const terminal = { print: () => {}, printError: () => {}, paint: paintNothing, env: {}, now: () => new Date() };
  const context = { terminal, finish: () => {} };
  return [
    { program: selvedgectlProgram(context), run: args => runCtl(args) },
    { program: selvedgeProgram(context), run: args => runSelvedge(args) },
  ];
}

function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}
