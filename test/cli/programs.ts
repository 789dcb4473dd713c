import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { programOf } from '../../scripts/kit/programs.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { type ProgramOptions, runProgram } from '../../src/cli/run-program.ts';
import { selvedgeProgram } from '../../src/cli/selvedge-program.ts';
import { selvedgectlProgram } from '../../src/cli/selvedgectl-program.ts';
import { paintNothing } from '../../src/cli/terminal.ts';

/** What a command line wrote, and how it ended. */
export interface ProgramRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface RunOptions {
  /** Nothing of the real environment is seen. Default empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default now. */
  readonly now?: Date;
}

/** Runs `selvedgectl` inside this process. */
export function runCtl(args: readonly string[], options: RunOptions = {}): Promise<ProgramRun> {
  return runInside({ build: selvedgectlProgram, configExitCode: EXIT.failure }, args, options);
}

/** Runs `selvedge` inside this process; `run` needs a process of its own. */
export function runSelvedge(args: readonly string[], options: RunOptions = {}): Promise<ProgramRun> {
  return runInside({ build: selvedgeProgram, configExitCode: EXIT.config }, args, options);
}

/** Runs the real program in a process of its own, which takes about a second. */
export function spawnProgram(name: 'selvedge' | 'selvedgectl', args: readonly string[]): Promise<ProgramRun> {
  return new Promise(resolve => {
    const env = { PATH: process.env.PATH ?? '' };
    execFile(process.execPath, [...programOf(name), ...args], { env }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, exitCode: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1 });
    });
  });
}

/** A directory that is removed after the test. */
export async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-cli-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function runInside(
  program: Pick<ProgramOptions, 'build' | 'configExitCode'>,
  args: readonly string[],
  { env = {}, now }: RunOptions,
): Promise<ProgramRun> {
  let stdout = '';
  let stderr = '';
  const terminal = {
    print: (text: string) => {
      stdout += `${text}\n`;
    },
    printError: (text: string) => {
      stderr += `${text}\n`;
    },
    paint: paintNothing,
    env,
    now: () => now ?? new Date(),
  };
  const exitCode = await runProgram({ ...program, args, terminal });
  return { stdout, stderr, exitCode };
}
