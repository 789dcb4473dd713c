import type { CheckModeResponse, NodeStatus } from '../rpc/control-messages.ts';

/** Under an answer that is redacted for the one who asks: what is missing, and what shows it. */
export function redactionNote({ addressesRedacted }: { readonly addressesRedacted: boolean }): string {
  return addressesRedacted
    ? 'Redacted: names, addresses and numbers of others are shown to the roles admin and observer (the same command with --tls-cert and --tls-key of one) and on the machine of the node (with --config).'
    : '';
}

/** Under the answer of one node for all: which members kept their peers back from it, and what shows them. */
export function silentMembersNote(nodes: readonly NodeStatus[]): string {
  const names = nodes.filter(keepsPeersBack).map(({ nodeName }) => nodeName);
  return names.length === 0
    ? ''
    : `Redacted: other nodes are not told the peers of ${names.join(', ')}; \`selvedgectl status --node -s ADDRESS\` as admin or observer shows them, with the address of the node.`;
}

/** Whether a node does not say who its peers are; one of an older version does. */
export function keepsPeersBack({ addressesRedacted, peers }: NodeStatus): boolean {
  return addressesRedacted && peers.length === 0;
}

/** Under a preflight: which members told only the kind of what stands in their way, and what shows the rest. */
export function silentObstaclesNote(nodes: readonly CheckModeResponse[], to: string): string {
  const names = nodes
    .filter(({ addressesRedacted, modeObstacles }) => addressesRedacted && modeObstacles.length > 0)
    .map(({ nodeName }) => nodeName);
  return names.length === 0
    ? ''
    : `Redacted: other nodes are not told whom ${names.join(', ')} would cut off; \`selvedgectl tls preflight --to ${to} -s ADDRESS\` as admin or observer shows it, with the address of the node.`;
}
