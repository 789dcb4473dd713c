import { type Command, InvalidArgumentError } from 'commander';
import { parseAddition } from '../../membership/parse-change.ts';
import { clusterControl } from '../../rpc/control-messages.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { addLabelOption } from '../label-option.ts';
import type { CommandContext } from '../run-program.ts';
import { editText } from './nodes-edit.ts';

interface AddOptions {
  readonly nodeAddress?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly weight?: number;
}

/** `selvedgectl nodes add` */
export function nodesAddCommand(context: CommandContext): Command {
  const command = onlineCommand('add', 'make a node a member, whatever it was, or say something else about a member', [
    'selvedgectl nodes add node-7 --node-address https://node-7.example:5122 --config node.toml',
    'selvedgectl nodes add node-7 --label role=worker --zone eu-1a --weight 2 --config node.toml',
  ])
    .argument('<name>', 'the node name')
    .option(
      '--node-address <address>',
      'where the node is dialled: host:port, with or without https://, or unix:/path; given again: another one, in the order of preference. Default: as it is, or as the node itself says',
      (address: string, before: readonly string[] = []) => [...before, address],
    );
  return addLabelOption(command, 'a label; given again: another one. They replace those it has. Default: as they are')
    .option('--zone <zone>', 'what fails together with it. Default: as it is')
    .option('--weight <number>', 'its share of the calls among those that are picked from, 0 to 65535', parseWeight)
    .action(async (name: string, { nodeAddress: addresses = [], label: labels, zone, weight }: AddOptions) => {
      parseAddition({ name, addresses, labels, zone, weight });
      const session = sessionOf(command, context);
      const answer = await session.call(clusterControl, 'AddNode', {
        nodeName: name,
        addresses,
        labels: labels ?? {},
        zone: zone ?? '',
        ...(weight === undefined ? {} : { weight }),
      });
      session.print(answer, () => editText(answer));
    });
}

function parseWeight(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write a whole number from 0 to 65535.');
  return Number(text);
}
