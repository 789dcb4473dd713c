import type {
  CaRoot,
  CaState,
  CaStatus,
  ClusterStatus,
  Connection,
  Expiring,
  ListConnectionsResponse,
  ListNodesResponse,
  NodeStatus,
  Peer,
  RootStatus,
  RootVerdict,
  TlsState,
  Unreachable,
} from '../rpc/control-messages.ts';

/**
 * What callers who are not admin, observer or local get: the shape of the cluster without a single address, host name
 * or certificate subject. Written as whole objects, so that a new field must be decided on.
 */
export function redactStatus(status: NodeStatus): NodeStatus {
  return {
    clusterName: status.clusterName,
    nodeName: status.nodeName,
    generation: status.generation,
    version: status.version,
    state: status.state,
    mode: status.mode,
    advertisedAddresses: [],
    startedAtMs: status.startedAtMs,
    labels: {},
    peers: status.peers.map(redactPeer),
    connections: status.connections,
    certificateExpiresAtMs: status.certificateExpiresAtMs,
    addressesRedacted: true,
    // They name files and hosts.
    problems: [],
    // Those of this node are shown to all who connect; those of others are theirs to show.
    expiring: status.expiring.filter(({ usage }) => usage !== 'peer').map(redactExpiring),
  };
}

function redactExpiring({ usage, fingerprintSha256, level, expiresAtMs }: Expiring): Expiring {
  return { usage, subject: '', fingerprintSha256, level, expiresAtMs, identity: '' };
}

export function redactPeer(peer: Peer): Peer {
  return {
    nodeName: peer.nodeName,
    state: peer.state,
    security: peer.security,
    securityReason: peer.securityReason,
    // A code; the words beside it may name an address.
    reason: peer.reason,
    detail: '',
    generation: peer.generation,
    mode: peer.mode,
    addresses: [],
    labels: {},
    version: peer.version,
    direction: peer.direction,
    sinceMs: peer.sinceMs,
    subject: '',
  };
}

export function redactNodes(response: ListNodesResponse): ListNodesResponse {
  return { nodes: response.nodes.map(redactPeer), addressesRedacted: true };
}

export function redactConnections(response: ListConnectionsResponse): ListConnectionsResponse {
  return { connections: response.connections.map(redactConnection), addressesRedacted: true };
}

function redactConnection(connection: Connection): Connection {
  return {
    id: connection.id,
    direction: connection.direction,
    remoteAddress: '',
    security: connection.security,
    securityReason: connection.securityReason,
    tlsVersion: connection.tlsVersion,
    cipher: connection.cipher,
    subject: '',
    identity: '',
    fingerprintSha256: '',
    roles: connection.roles,
    openedAtMs: connection.openedAtMs,
    activeCalls: connection.activeCalls,
    certificateExpiresAtMs: connection.certificateExpiresAtMs,
    nodeName: connection.nodeName,
  };
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
    unreachable: status.unreachable.map(redactUnreachable),
    addressesRedacted: true,
  };
}

/** Why a member did not answer is told in words of the network, with its address. */
export function redactUnreachable({ nodeName }: Unreachable): Unreachable {
  return { nodeName, reason: '' };
}

/** Fingerprints of roots stay: they name nobody, and a node that asks as a member counts by them. */
export function redactCaState(state: CaState): CaState {
  return {
    nodeName: state.nodeName,
    usages: state.usages.map(({ usage, trustGeneration, roots, leafRoots }) => ({
      usage,
      trustGeneration,
      roots: roots.map(redactRoot),
      leafRoots,
    })),
    addressesRedacted: true,
  };
}

/** How many, and not who. */
export function redactCaStatus(status: CaStatus): CaStatus {
  return {
    roots: status.roots.map(redactRootStatus),
    members: status.members,
    unknown: status.unknown,
    unreachable: [],
    addressesRedacted: true,
  };
}

function redactRoot({ fingerprintSha256, notAfterMs }: CaRoot): CaRoot {
  return { subject: '', fingerprintSha256, notAfterMs };
}

function redactRootStatus(root: RootStatus): RootStatus {
  return {
    ...redactRoot(root),
    trustedAsServer: root.trustedAsServer,
    trustedAsClient: root.trustedAsClient,
    trustedByProfiles: root.trustedByProfiles,
    presented: root.presented,
    members: [],
    switch: redactVerdict(root.switch),
    drop: redactVerdict(root.drop),
  };
}

function redactVerdict(verdict: RootVerdict | null): RootVerdict | null {
  return verdict === null ? null : { safe: verdict.safe, inTheWay: verdict.inTheWay, obstacles: [] };
}
