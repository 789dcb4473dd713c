import type { Command } from 'commander';
import { nodeControl } from '../../rpc/control-messages.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedgectl drain` */
export function drainCommand(context: CommandContext): Command {
  const command = onlineCommand('drain', 'let a node finish what runs and take nothing new; a daemon then ends', [
    'selvedgectl drain --config node.toml',
    'selvedgectl drain -s https://node-1.example:5122 --tls-ca ca.pem --tls-cert admin.pem --tls-key admin.key',
  ]);
  return command.action(async () => {
    const session = sessionOf(command, context);
    const response = await session.call(nodeControl, 'Drain', {});
    session.print(response, () => response.state);
  });
}
