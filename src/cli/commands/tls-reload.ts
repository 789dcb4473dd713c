import type { Command } from 'commander';
import { nodeControl } from '../../rpc/control-messages.ts';
import { wordCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import type { CommandContext } from '../run-program.ts';
import { renderFields } from '../table.ts';

/** `selvedgectl tls reload` */
export function tlsReloadCommand(context: CommandContext): Command {
  const command = onlineCommand('reload', 'let a node read its certificate files again, now', [
    'selvedgectl tls reload --config node.toml',
  ]).addHelpText('after', '\nExits 1 when the files cannot be used; the node then keeps what it had.');
  return command.action(async () => {
    const session = sessionOf(command, context);
    const response = await session.call(nodeControl, 'ReloadTls', {});
    const { result, trustGeneration, problems } = response;
    session.print(response, () =>
      renderFields(
        [
          ['result', wordCell(result)],
          ['generation', String(trustGeneration)],
          ['problems', problems.map(text => ({ text, colour: 'bad' }))],
        ],
        context.terminal.paint,
      ),
    );
    if (result === 'failed') context.finish(EXIT.failure);
  });
}
