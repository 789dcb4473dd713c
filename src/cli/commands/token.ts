import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { tokenNewCommand } from './token-new.ts';

/** `selvedgectl token` */
export function tokenCommand(context: CommandContext): Command {
  return new Command('token')
    .description('tokens of admins and observers who have no certificate')
    .addCommand(tokenNewCommand(context));
}
