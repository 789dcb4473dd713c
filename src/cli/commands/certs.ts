import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { certsAdminCommand } from './certs-admin.ts';
import { certsInitCommand } from './certs-init.ts';
import { certsListCommand } from './certs-list.ts';
import { certsNodeCommand } from './certs-node.ts';
import { certsRotateCommand } from './certs-rotate.ts';

/** `selvedgectl certs` */
export function certsCommand(context: CommandContext): Command {
  return new Command('certs')
    .description('a private CA for development and tests: its keys lie unprotected in a directory')
    .addCommand(certsInitCommand(context))
    .addCommand(certsNodeCommand(context))
    .addCommand(certsAdminCommand(context))
    .addCommand(certsListCommand(context))
    .addCommand(certsRotateCommand(context));
}
