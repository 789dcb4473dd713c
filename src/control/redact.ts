import type {
  ClusterStatus,
  Connection,
  ListConnectionsResponse,
  ListNodesResponse,
  NodeStatus,
  Peer,
  TlsState,
} from '../rpc/control-messages.ts';

/**
 * What callers who are not admin, observer or local get: the shape of the cluster without a single address, host name
 * or certificate subject. Written as whole objects, so that a new field must be decided on.
 */
export function redactStatus(status: NodeStatus): NodeStatus {
  return {
    ...status,
    advertisedAddresses: [],
    labels: {},
    peers: status.peers.map(redactPeer),
    addressesRedacted: true,
  };
}

export function redactPeer(peer: Peer): Peer {
  return { ...peer, addresses: [], labels: {}, subject: '', detail: '' };
}

export function redactNodes(response: ListNodesResponse): ListNodesResponse {
  return { nodes: response.nodes.map(redactPeer), addressesRedacted: true };
}

export function redactConnections(response: ListConnectionsResponse): ListConnectionsResponse {
  return { connections: response.connections.map(redactConnection), addressesRedacted: true };
}

function redactConnection(connection: Connection): Connection {
  return { ...connection, remoteAddress: '', subject: '', identity: '', fingerprintSha256: '' };
}

export function redactTls(state: TlsState): TlsState {
  return {
    mode: state.mode,
    requireClientAuth: state.requireClientAuth,
    minVersion: state.minVersion,
    allowedSubjectNames: [],
    credentials: [],
    addressesRedacted: true,
  };
}

export function redactCluster(status: ClusterStatus): ClusterStatus {
  return {
    nodes: status.nodes.map(redactStatus),
    unreachable: status.unreachable.map(({ nodeName }) => ({ nodeName, reason: '' })),
    addressesRedacted: true,
  };
}
