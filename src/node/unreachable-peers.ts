import type { MutableValue, ObservableValue } from '../lifecycle/observable-value.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';

/**
 * Keeps `names` to the nodes that cannot be reached, or that refuse this node or are refused, as the table of peers has it.
 * @returns the function that stops it.
 */
export function followUnreachable(
  peers: ObservableValue<readonly PeerEntry[]>,
  names: MutableValue<ReadonlySet<string>>,
): () => void {
  return peers.subscribe(table => {
    const next = table.flatMap(({ name, state }) => (state === 'unreachable' || state === 'refused' ? [name] : []));
    const { value: known } = names;
    if (next.length !== known.size || next.some(name => !known.has(name))) names.set(new Set(next));
  });
}
