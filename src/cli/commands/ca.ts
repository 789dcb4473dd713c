import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { caStatusCommand } from './ca-status.ts';

/** `selvedgectl ca` */
export function caCommand(context: CommandContext): Command {
  return new Command('ca')
    .description('the roots that the members trust, and those their certificates come from')
    .addCommand(caStatusCommand(context));
}
