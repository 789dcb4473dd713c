import type { NodeStatus, Peer } from '../rpc/control-messages.ts';
import { keepsPeersBack } from './redaction-note.ts';
import { type Cell, renderTable } from './table.ts';
import type { Paint } from './terminal.ts';

/** Larger clusters are read in the columns of `nodes list`, not in a square. */
const MAX_NODES = 12;

/**
 * How each node (a row) says it is connected to each other (a column); those that do not say have no row. Empty for a
 * cluster of one, or of too many.
 */
export function renderSecurityMatrix(nodes: readonly NodeStatus[], paint: Paint): string {
  const names = [...new Set(nodes.flatMap(node => [node.nodeName, ...node.peers.map(peer => peer.nodeName)]))];
  if (names.length < 2 || names.length > MAX_NODES) return '';
  const rows = nodes
    .filter(node => !keepsPeersBack(node))
    .map(node => [
      node.nodeName,
      ...names.map(name => (name === node.nodeName ? '·' : cellOf(node.peers.find(peer => peer.nodeName === name)))),
    ]);
  return renderTable(['SEEN FROM', ...names], rows, paint);
}

function cellOf(peer: Peer | undefined): Cell {
  if (peer === undefined) return { text: 'unknown', colour: 'bad' };
  if (peer.state === 'idle') return { text: 'idle', colour: 'quiet' };
  if (peer.state !== 'connected') return { text: peer.reason === '' ? peer.state : peer.reason, colour: 'bad' };
  if (peer.security === 'mutual_tls') return { text: 'mutual TLS', colour: 'good' };
  return { text: peer.security === 'tls' ? 'TLS' : 'plaintext', colour: 'warning' };
}
