import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { nodesAddCommand } from './nodes-add.ts';
import { nodesDrainCommand, nodesRemoveCommand, nodesTerminateCommand } from './nodes-edit.ts';
import { nodesListCommand } from './nodes-list.ts';

/** `selvedgectl nodes` */
export function nodesCommand(context: CommandContext): Command {
  return new Command('nodes')
    .description('the members of the cluster')
    .addCommand(nodesListCommand(context))
    .addCommand(nodesAddCommand(context))
    .addCommand(nodesDrainCommand(context))
    .addCommand(nodesRemoveCommand(context))
    .addCommand(nodesTerminateCommand(context));
}
