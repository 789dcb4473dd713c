import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { nodesListCommand } from './nodes-list.ts';

/** `selvedgectl nodes` */
export function nodesCommand(context: CommandContext): Command {
  return new Command('nodes').description('the members of the cluster').addCommand(nodesListCommand(context));
}
