import type { Command } from 'commander';
import { parseNamedChange } from '../../membership/parse-change.ts';
import { clusterControl, type EditMembershipResponse } from '../../rpc/control-messages.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';

const METHODS = { remove: 'RemoveNode', drain: 'DrainNode', terminate: 'TerminateNode' } as const;

/** `selvedgectl nodes remove` */
export function nodesRemoveCommand(context: CommandContext): Command {
  return editCommand('remove', 'take a node out: it is refused until it is added again', context);
}

/** `selvedgectl nodes drain` */
export function nodesDrainCommand(context: CommandContext): Command {
  return editCommand('drain', 'give a member nothing new; it stays a member, and add ends it', context);
}

/** `selvedgectl nodes terminate` */
export function nodesTerminateCommand(context: CommandContext): Command {
  return editCommand('terminate', 'take a node out, and let its process finish what runs and end', context);
}

function editCommand(kind: keyof typeof METHODS, summary: string, context: CommandContext): Command {
  const command = onlineCommand(kind, summary, [
    `selvedgectl nodes ${kind} node-7 --config node.toml`,
    `selvedgectl nodes ${kind} node-7 -s https://node-1.example:5122 --tls-ca ca.pem --tls-cert admin.pem --tls-key admin.key`,
  ]).argument('<name>', 'the node name');
  return command.action(async (name: string) => {
    parseNamedChange(kind, name);
    const session = sessionOf(command, context);
    const answer = await session.call(clusterControl, METHODS[kind], { nodeName: name });
    session.print(answer, () => editText(answer));
  });
}

/** `node-7: draining` */
export function editText({ nodeName, membershipState }: EditMembershipResponse): string {
  return `${nodeName}: ${membershipState}`;
}
