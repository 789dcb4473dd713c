import { Command } from 'commander';
import { VERSION } from '../node/version.ts';
import { authzCommand } from './commands/authz.ts';
import { caCommand } from './commands/ca.ts';
import { certsCommand } from './commands/certs.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { connectionsCommand } from './commands/connections.ts';
import { drainCommand } from './commands/drain.ts';
import { healthCommand } from './commands/health.ts';
import { nodesCommand } from './commands/nodes.ts';
import { statusCommand } from './commands/status.ts';
import { tlsCommand } from './commands/tls.ts';
import { tokenCommand } from './commands/token.ts';
import { withExamples } from './ctl-command.ts';
import { addConnectionOptions } from './ctl-options.ts';
import type { CommandContext } from './run-program.ts';

/** The command line of `selvedgectl`. */
export function selvedgectlProgram(context: CommandContext): Command {
  const program = new Command('selvedgectl')
    .description('Shows and steers the nodes of a Selvedge cluster.')
    .version(VERSION, '-V, --version', 'print the version');
  addConnectionOptions(program)
    .addCommand(statusCommand(context))
    .addCommand(nodesCommand(context))
    .addCommand(connectionsCommand(context))
    .addCommand(healthCommand(context))
    .addCommand(drainCommand(context))
    .addCommand(tlsCommand(context))
    .addCommand(authzCommand(context))
    .addCommand(caCommand(context))
    .addCommand(certsCommand(context))
    .addCommand(tokenCommand(context))
    .addCommand(configCommand(context))
    .addCommand(completionCommand(context));
  return withExamples(program, [
    'selvedgectl status --config node.toml',
    'selvedgectl tls preflight --to strict -s https://node-1:5122 --tls-ca ca.pem --tls-cert admin.pem --tls-key admin.key',
    'selvedgectl tls explain --config node.toml --cert certs/node-2.pem',
    'selvedgectl certs init --cluster dev && selvedgectl certs node node-1 --localhost',
  ]).addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 called wrongly, 3 a check said no.');
}
