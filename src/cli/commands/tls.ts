import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { tlsExplainCommand } from './tls-explain.ts';
import { tlsPreflightCommand } from './tls-preflight.ts';
import { tlsReloadCommand } from './tls-reload.ts';
import { tlsStatusCommand } from './tls-status.ts';

/** `selvedgectl tls` */
export function tlsCommand(context: CommandContext): Command {
  return new Command('tls')
    .description('certificates, modes and who is admitted')
    .addCommand(tlsStatusCommand(context))
    .addCommand(tlsReloadCommand(context))
    .addCommand(tlsPreflightCommand(context))
    .addCommand(tlsExplainCommand(context));
}
