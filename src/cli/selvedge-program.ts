import { Command } from 'commander';
import { VERSION } from '../node/version.ts';
import { checkCommand } from './commands/check.ts';
import { runCommand } from './commands/run.ts';
import { withExamples } from './ctl-command.ts';
import type { CommandContext } from './run-program.ts';

/** The command line of `selvedge`. */
export function selvedgeProgram(context: CommandContext): Command {
  const program = new Command('selvedge')
    .description('Runs a node of a Selvedge cluster.')
    .version(VERSION, '-V, --version', 'print the version')
    .addCommand(runCommand(context))
    .addCommand(checkCommand(context));
  return withExamples(program, ['selvedge check --config node.toml', 'selvedge run --config node.toml']).addHelpText(
    'after',
    '\nExit codes: 0 ended cleanly, 1 failed, 2 called wrongly, 78 configuration or credentials are wrong.',
  );
}
