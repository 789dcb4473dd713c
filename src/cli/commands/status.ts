import type { Command } from 'commander';
import {
  type ClusterStatus,
  clusterControl,
  type MembershipSourceState,
  type NodeStatus,
  nodeControl,
} from '../../rpc/control-messages.ts';
import { expiryCell, labelsText, redactable, timeCell, wordCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { renderExpiring } from '../expiring-table.ts';
import { keepsPeersBack, redactionNote, silentMembersNote } from '../redaction-note.ts';
import { relativeTime } from '../relative-time.ts';
import type { CommandContext } from '../run-program.ts';
import { renderSecurityMatrix } from '../security-matrix.ts';
import { type Cell, renderFields, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { renderPeers } from './nodes-list.ts';

/** `selvedgectl status` */
export function statusCommand(context: CommandContext): Command {
  const command = onlineCommand('status', 'the state of every node of the cluster, as the one that is asked sees it', [
    'selvedgectl status --config node.toml',
    'selvedgectl status -s https://node-1.example:5122 --tls-ca ca.pem --tls-cert admin.pem --tls-key admin.key',
    'selvedgectl status --node -o json',
  ]).option('--node', 'only the node that is asked, with its peers and connections');
  return command.action(async ({ node }: { node?: boolean }) => {
    const { terminal } = context;
    const session = sessionOf(command, context);
    if (node === true) {
      const status = await session.call(nodeControl, 'GetStatus', {});
      session.print(status, () => renderNode(status, terminal), redactionNote(status));
    } else {
      const status = await session.call(clusterControl, 'GetClusterStatus', {});
      const note = redactionNote(status) || silentMembersNote(status.nodes);
      session.print(rowsAsJson(status), () => renderCluster(status, terminal), note);
    }
  });
}

/** One object a node; a member that did not answer is one with a state and a reason alone. */
function rowsAsJson({ nodes, unreachable }: ClusterStatus): readonly object[] {
  return [...nodes, ...unreachable.map(({ nodeName, reason }) => ({ nodeName, state: 'unreachable', reason }))];
}

function renderCluster(status: ClusterStatus, terminal: Terminal): string {
  const matrix = renderSecurityMatrix(status.nodes, terminal.paint);
  return sections(
    renderNodes(status, terminal),
    matrix,
    renderNotices(status.nodes, terminal),
    renderExpiring(status.nodes, terminal),
  );
}

function renderNotices(nodes: readonly NodeStatus[], { paint }: Terminal): string {
  const rows = nodes.flatMap(({ nodeName, notices }) => notices.map((text): Cell[] => [nodeName, text]));
  return rows.length === 0 ? '' : renderTable(['NODE', 'NOTICE'], rows, paint);
}

function sections(...texts: readonly string[]): string {
  return texts.filter(text => text !== '').join('\n\n');
}

function renderNodes({ nodes, unreachable, addressesRedacted }: ClusterStatus, { paint, now }: Terminal): string {
  const headings = ['NODE', 'STATE', 'MODE', 'PEERS', 'CERTIFICATE', 'STARTED', 'VERSION', 'ADDRESSES'];
  const rows = nodes.map(node => clusterRow(node, now()));
  const hasReasons = unreachable.length > 0 || nodes.some(({ problems }) => problems.length > 0);
  if (!hasReasons) return renderTable(headings, rows, paint);
  const missing = unreachable.map(({ nodeName, reason }): Cell[] => [
    nodeName,
    wordCell('unreachable'),
    ...headings.slice(2).map(() => ''),
    redactable(reason, addressesRedacted),
  ]);
  return renderTable([...headings, 'REASON'], [...rows, ...missing], paint);
}

function clusterRow(node: NodeStatus, now: Date): Cell[] {
  return [
    node.nodeName,
    wordCell(node.state),
    node.mode,
    peersCell(node),
    ownExpiryCell(node, now),
    timeCell(node.startedAtMs, now),
    node.version,
    redactable(node.advertisedAddresses.join(', '), node.addressesRedacted),
    node.problems.join('; '),
  ];
}

/** `2/2`: connected peers of those that are to be, and `2/2 +7 idle` where some need not. One word where they are not told. */
function peersCell(node: NodeStatus): Cell {
  if (keepsPeersBack(node)) return redactedPeersCell(node);
  const others = node.peers.filter(peer => peer.state !== 'self');
  const count = (state: string) => others.filter(peer => peer.state === state).length;
  const [connected, idle] = [count('connected'), count('idle')];
  const text = `${connected}/${others.length - idle}${idle === 0 ? '' : ` +${idle} idle`}`;
  return connected + idle === others.length ? text : { text, colour: 'warning' };
}

function redactedPeersCell({ peersConnected, addressesRedacted }: NodeStatus): Cell {
  if (peersConnected === 'not_all') return { text: 'not all', colour: 'warning' };
  return redactable(peersConnected, addressesRedacted);
}

function renderNode(node: NodeStatus, { paint, now }: Terminal): string {
  const fields = renderFields(
    [
      ['node', `${node.nodeName} of cluster ${node.clusterName}`],
      ['state', wordCell(node.state)],
      ['problems', node.problems.map((text): Cell => ({ text, colour: 'bad' }))],
      ['notices', node.notices.map((text): Cell => ({ text, colour: 'warning' }))],
      ['mode', node.mode],
      ['membership', node.membershipSources.map(source => sourceCell(source, now()))],
      ['version', node.version],
      ['generation', String(node.generation)],
      ['started', timeCell(node.startedAtMs, now())],
      ['certificate', ownExpiryCell(node, now())],
      ['addresses', addressCells(node)],
      ['labels', labelsText(node.labels)],
      ['peers', keepsPeersBack(node) ? redactedPeersCell(node) : ''],
      ['inbound', redactable(countsText(node, 'inbound'), node.addressesRedacted)],
      ['outbound', redactable(countsText(node, 'outbound'), node.addressesRedacted)],
    ],
    paint,
  );
  const peers = node.peers.length === 0 ? '' : renderPeers(node.peers, node.addressesRedacted, { paint, now });
  return sections(fields, peers, renderExpiring([node], { paint, now }));
}

/** `etcd, 3 members`, or `dns, 3 members, frozen 3m ago: ...` */
function sourceCell({ kind: source, members, state, sinceMs, problem }: MembershipSourceState, now: Date): Cell {
  const kind = members === 0 ? source : `${source}, ${members} ${members === 1 ? 'member' : 'members'}`;
  if (state === 'current') return kind;
  const why = problem === '' ? '' : `: ${problem}`;
  return { text: `${kind}, ${state} ${relativeTime(sinceMs, now)}${why}`, colour: 'bad' };
}

function ownExpiryCell({ certificateExpiresAtMs, expiring }: NodeStatus, now: Date): Cell {
  return expiryCell(certificateExpiresAtMs, now, expiring.find(({ usage }) => usage === 'server')?.level ?? '');
}

function addressCells({ advertisedAddresses, addressesRedacted }: NodeStatus): readonly Cell[] {
  return advertisedAddresses.length === 0 ? [redactable('', addressesRedacted)] : advertisedAddresses;
}

function countsText({ connections }: NodeStatus, direction: 'inbound' | 'outbound'): string {
  if (connections === null) return '';
  const [mutualTls, tls, none] =
    direction === 'inbound'
      ? [connections.inboundMutualTls, connections.inboundTls, connections.inboundNone]
      : [connections.outboundMutualTls, connections.outboundTls, connections.outboundNone];
  const total = mutualTls + tls + none;
  return `${total} ${total === 1 ? 'connection' : 'connections'}: ${mutualTls} mutual_tls, ${tls} tls, ${none} none`;
}
