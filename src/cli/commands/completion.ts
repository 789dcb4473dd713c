import { Argument, Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion-scripts.ts';
import { withExamples } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedgectl completion` */
export function completionCommand(context: CommandContext): Command {
  const command = withExamples(new Command('completion').description('a completion script for a shell'), [
    'source <(selvedgectl completion bash)',
    'selvedgectl completion zsh > ~/.zfunc/_selvedgectl',
    'selvedgectl completion fish > ~/.config/fish/completions/selvedgectl.fish',
  ]).addArgument(new Argument('<shell>', 'which shell').choices(SHELLS));
  return command.action((shell: Shell) => {
    context.terminal.print(completionScript(command.parent ?? command, shell));
  });
}
