import { Command } from 'commander';
import type { CommandContext } from '../run-program.ts';
import { authzExplainCommand } from './authz-explain.ts';
import { authzShadowReportCommand } from './authz-shadow-report.ts';

/** `selvedgectl authz` */
export function authzCommand(context: CommandContext): Command {
  return new Command('authz')
    .description('who may call what, and what a policy would change')
    .addCommand(authzExplainCommand(context))
    .addCommand(authzShadowReportCommand(context));
}
