import type { CaRoot, CaState, CaStatus, RootStatus, RootVerdict } from '../rpc/ca-messages.ts';
import type {
  CheckModeResponse,
  ClusterStatus,
  Expiring,
  ListConnectionsResponse,
  ListNodesResponse,
  ModeObstacle,
  NodeStatus,
  Peer,
  PreflightResponse,
  TlsState,
} from '../rpc/control-messages.ts';
import { obstacleInWords } from '../rpc/mode-obstacles.ts';

/**
 * What callers who are not admin, observer or local get: the node that answers, without a single address, host name or
 * certificate subject, and nothing that tells who or how many the others are. Written as whole objects, so that a new
 * field must be decided on.
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
    peers: [],
    connections: null,
    certificateExpiresAtMs: status.certificateExpiresAtMs,
    addressesRedacted: true,
    // They name files and hosts.
    problems: [],
    // Those of this node are shown to all who connect; those of others are theirs to show.
    expiring: status.expiring.filter(({ usage }) => usage !== 'peer').map(redactExpiring),
    // One word for all, however many they are.
    peersConnected: status.peersConnected,
    // They name members.
    notices: [],
    membershipSources: status.membershipSources.map(source => ({ ...source, problem: '', members: 0 })),
  };
}

function redactExpiring({ usage, fingerprintSha256, level, expiresAtMs }: Expiring): Expiring {
  return { usage, subject: '', fingerprintSha256, level, expiresAtMs, identity: '' };
}

/** @param self the node that answers, the only one that is told. */
export function redactNodes(self: Peer): ListNodesResponse {
  const redacted: Peer = {
    nodeName: self.nodeName,
    state: self.state,
    security: self.security,
    securityReason: self.securityReason,
    reason: self.reason,
    detail: '',
    generation: self.generation,
    mode: self.mode,
    addresses: [],
    labels: {},
    version: self.version,
    direction: self.direction,
    sinceMs: self.sinceMs,
    subject: '',
    liveness: self.liveness,
    livenessReason: self.livenessReason,
    livenessSinceMs: self.livenessSinceMs,
    membershipState: self.membershipState,
    // As labels.
    zone: '',
    weight: self.weight,
  };
  return { nodes: [redacted], addressesRedacted: true, removed: [] };
}

/** Open connections are all of others, and their number is how many these are. */
export const REDACTED_CONNECTIONS: ListConnectionsResponse = { connections: [], addressesRedacted: true };

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

/** @param own of the node that answers, the only one that is told. */
export function redactCluster(own: NodeStatus): ClusterStatus {
  return { nodes: [redactStatus(own)], unreachable: [], addressesRedacted: true };
}

/** What stands in the way, by kind: not who, and not how often. */
export function redactCheckMode(answer: CheckModeResponse): CheckModeResponse {
  const codes = new Set(answer.modeObstacles.map(({ code }) => code));
  const modeObstacles = [...codes].map((code): ModeObstacle => ({ code, nodeName: '', detail: '' }));
  return {
    nodeName: answer.nodeName,
    from: answer.from,
    to: answer.to,
    ready: answer.ready,
    obstacles: modeObstacles.map(obstacleInWords),
    addressesRedacted: true,
    modeObstacles,
  };
}

/** @param ready whether all members are. */
export function redactPreflight(ready: boolean, own: CheckModeResponse): PreflightResponse {
  return { ready, nodes: [redactCheckMode(own)], unreachable: [], addressesRedacted: true };
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

/** Which roots there are and what is safe to do with them; neither who stands in the way nor how many. */
export function redactCaStatus(status: CaStatus): CaStatus {
  return {
    roots: status.roots.map(redactRootStatus),
    members: 0,
    unknown: 0,
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
    trustedAsServer: 0,
    trustedAsClient: 0,
    trustedByProfiles: 0,
    presented: 0,
    members: [],
    switch: redactVerdict(root.switch),
    drop: redactVerdict(root.drop),
  };
}

function redactVerdict(verdict: RootVerdict | null): RootVerdict | null {
  return verdict === null ? null : { safe: verdict.safe, inTheWay: 0, obstacles: [] };
}
