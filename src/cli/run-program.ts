import { type Command, CommanderError } from 'commander';
import { describeFailure } from './command-failure.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Sets the exit code; without it a command that does not throw exits 0. */
  finish(exitCode: ExitCode): void;
}

export interface ProgramOptions {
  readonly build: (context: CommandContext) => Command;
  /** Without the names of interpreter and program. */
  readonly args: readonly string[];
  readonly terminal: Terminal;
  /** For a configuration or credentials that cannot be used. */
  readonly configExitCode: ExitCode;
}

/** Runs a command line. Resolves with the exit code and never rejects; problems are printed, one a line. */
export async function runProgram({ build, args, terminal, configExitCode }: ProgramOptions): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const program = build({
    terminal,
    finish: code => {
      exitCode = code;
    },
  });
  prepare(program, terminal);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed it. Help and version that were asked for are no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { lines, exitCode: failed } = describeFailure(error, configExitCode);
    for (const line of lines) terminal.printError(`${program.name()}: ${line}`);
    return failed;
  }
}

/** `selvedgectl tls status` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Commander hands settings down only to commands that it makes itself. */
function prepare(command: Command, terminal: Terminal): void {
  command
    .exitOverride()
    // An option after a subcommand is the subcommand's: `tls explain --cert` is not the `--cert` of a connection.
    .enablePositionalOptions()
    .showHelpAfterError(`See: ${pathOf(command)} --help`)
    .configureOutput({
      writeOut: text => terminal.print(text.replace(/\n$/, '')),
      writeErr: text => terminal.printError(text.replace(/\n$/, '')),
    });
  for (const child of command.commands) prepare(child, terminal);
}
