import type * as grpc from '@grpc/grpc-js';
import type { Command } from 'commander';
import { service as healthDefinition } from 'grpc-health-check';
import type { UnaryService } from '../../rpc/service.ts';
import { wordCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import type { CommandContext } from '../run-program.ts';
import { renderTable } from '../table.ts';

type HealthMethods = {
  readonly Check: { readonly request: { readonly service: string }; readonly response: { readonly status: string } };
};

const health: UnaryService<HealthMethods> = {
  name: 'grpc.health.v1.Health',
  definition: healthDefinition as grpc.ServiceDefinition,
};

/** `selvedgectl health` */
export function healthCommand(context: CommandContext): Command {
  const command = onlineCommand('health', 'whether a node serves (grpc.health.v1)', [
    'selvedgectl health --config node.toml',
    'selvedgectl health --service selvedge.fabric.v1.Fabric -o json',
  ])
    .option('--service <name>', 'a service of the node in place of the node as a whole', '')
    .addHelpText('after', '\nExits 3 when the answer is anything but SERVING.');
  return command.action(async ({ service }: { service: string }) => {
    const session = sessionOf(command, context);
    const { status } = await session.call(health, 'Check', { service });
    session.print({ service, status }, () =>
      renderTable(
        ['SERVICE', 'STATUS'],
        [[service === '' ? '(node)' : service, wordCell(status)]],
        context.terminal.paint,
      ),
    );
    if (status !== 'SERVING') context.finish(EXIT.checkSaidNo);
  });
}
