import type { Command } from 'commander';
import { clusterControl, type Peer } from '../../rpc/control-messages.ts';
import { printable } from '../../telemetry/logger.ts';
import { labelsText, livenessCell, redactable, securityCell, timeCell, wordCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { addListOptions, isDraining, type ListOptions, listedNodes } from '../list-options.ts';
import { redactionNote } from '../redaction-note.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl nodes list` */
export function nodesListCommand(context: CommandContext): Command {
  const command = onlineCommand('list', 'every member, and how the node that is asked is connected to it', [
    'selvedgectl nodes list --config node.toml',
    'selvedgectl nodes list --label role=worker --zone eu-1a --sort weight --config node.toml',
    'selvedgectl nodes list -o json | jq -r \'.[] | select(.state == "refused") | .reason\'',
  ]);
  return addListOptions(command).action(async (options: ListOptions) => {
    const session = sessionOf(command, context);
    const { nodes: all, addressesRedacted, removed } = await session.call(clusterControl, 'ListNodes', {});
    const nodes = listedNodes(all, options);
    session.print(
      nodes.map(node => ({ ...node, addressesRedacted })),
      () => renderPeers(nodes, addressesRedacted, context.terminal) + removedText(removed),
      redactionNote({ addressesRedacted }),
    );
  });
}

/** Below the table: whoever looks for one of them there finds why it is missing. */
function removedText(names: readonly string[]): string {
  return names.length === 0
    ? ''
    : `\n\nRemoved, and refused until added again: ${names.map(name => printable(name)).join(', ')}.`;
}

/** The members as a table; the last column says why one is not connected, or why it is suspect or dead though it is. SINCE is of the state. */
export function renderPeers(
  peers: readonly Peer[],
  isRedacted: boolean,
  { paint, now }: Pick<Terminal, 'paint' | 'now'>,
): string {
  const headings = [
    'NODE',
    'STATE',
    'LIVENESS',
    'SECURITY',
    'MODE',
    'SINCE',
    'VERSION',
    'ADDRESSES',
    'ZONE',
    'WEIGHT',
    'LABELS',
    'REASON',
  ];
  const rows = peers.map(peer => [
    redactable(peer.nodeName, isRedacted),
    stateCell(peer),
    livenessCell(peer.liveness, peer.livenessSinceMs, now()),
    securityCell(peer.security, peer.securityReason),
    peer.mode,
    timeCell(peer.sinceMs, now()),
    peer.version,
    redactable(peer.addresses.join(', '), isRedacted),
    redactable(peer.zone, isRedacted),
    // A node of an older version does not say.
    peer.membershipState === '' ? '' : String(peer.weight),
    labelsText(peer.labels),
    whyCell(peer),
  ]);
  return renderTable(headings, rows, paint);
}

/** `connected`; of a member that drains by the word of the membership source `connected (draining)`. */
function stateCell(peer: Peer): Cell {
  if (!isDraining(peer) || peer.state === 'draining') return wordCell(peer.state);
  return { text: `${peer.state} (draining)`, colour: 'warning' };
}

/** Of a stream that is open there is no more to say than why its member is not alive. */
function whyCell({ reason, detail, liveness, livenessReason }: Peer): string {
  const why = reason === '' && ['suspect', 'dead'].includes(liveness) ? livenessReason : reason;
  return [why, detail].filter(text => text !== '').join(': ');
}
