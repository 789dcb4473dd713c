import { describeProblems } from '../credentials/credential-problem.ts';
import type { CredentialsStore } from '../credentials/credentials-store.ts';
import type { ExpiringCertificate } from '../credentials/expiry.ts';
import { formatAddress } from '../identity/address.ts';
import { knownAs, type PeerIdentity } from '../identity/peer-identity.ts';
import { isFine, type PeerEntry } from '../messaging/peer-table.ts';
import type {
  CertificateState,
  Connection,
  ConnectionCounts,
  CredentialState,
  Expiring,
  NodeStatus,
  Peer,
  ShadowReportMessage,
} from '../rpc/control-messages.ts';
import type { NodeFacts } from './node-facts.ts';

/** The whole status of a node, unredacted. */
export function statusOfNode(node: NodeFacts): NodeStatus {
  const connections = node.connections();
  const peers = node.peers();
  return {
    clusterName: node.clusterName,
    nodeName: node.nodeName,
    generation: node.generation,
    version: node.version,
    state: node.state(),
    mode: node.mode(),
    advertisedAddresses: node.advertisedAddresses(),
    startedAtMs: node.startedAt.getTime(),
    labels: node.labels,
    peers: peers.map(peerMessage),
    connections: countConnections(connections),
    certificateExpiresAtMs: node.credentials()[0]?.store.snapshot.value.own.identity.notAfter.getTime() ?? 0,
    addressesRedacted: false,
    problems: node.problems(),
    expiring: node.expiring().slice(0, MAX_EXPIRING).map(expiringMessage),
    peersConnected: peers.every(({ state }) => isFine(state)) ? 'all' : 'not_all',
    notices: node.notices(),
    membershipSources: node.membershipSources(),
  };
}

/** As many expiring certificates are told in one status, those that end first; the metrics count all. */
const MAX_EXPIRING = 100;

function expiringMessage({ usage, identity, level }: ExpiringCertificate): Expiring {
  const { subject, fingerprint256: fingerprintSha256, notAfter } = identity;
  return { usage, subject, fingerprintSha256, level, expiresAtMs: notAfter.getTime(), identity: knownAs(identity) };
}

/** This node as an entry of its own list of nodes. */
export function selfAsPeer(node: NodeFacts): Peer {
  return {
    nodeName: node.nodeName,
    state: 'self',
    security: '',
    securityReason: '',
    reason: '',
    detail: '',
    generation: node.generation,
    mode: node.mode(),
    addresses: node.advertisedAddresses(),
    version: node.version,
    direction: '',
    sinceMs: node.startedAt.getTime(),
    subject: node.credentials()[0]?.store.snapshot.value.own.identity.subject ?? '',
    liveness: node.state() === 'draining' ? 'draining' : 'alive',
    livenessReason: '',
    livenessSinceMs: node.startedAt.getTime(),
    ...node.membership(),
  };
}

export function peerMessage(entry: PeerEntry): Peer {
  return {
    nodeName: entry.name,
    state: entry.state,
    security: entry.security?.kind ?? '',
    securityReason: entry.security?.kind === 'none' ? entry.security.reason : '',
    reason: entry.reason ?? '',
    detail: entry.detail ?? '',
    generation: entry.generation ?? 0,
    mode: entry.mode ?? '',
    addresses: entry.addresses.map(formatAddress),
    labels: entry.labels,
    version: entry.version ?? '',
    direction: entry.direction ?? '',
    sinceMs: entry.since.getTime(),
    subject: entry.identity?.subject ?? '',
    liveness: entry.liveness.state,
    livenessReason: entry.liveness.reason,
    livenessSinceMs: entry.liveness.since.getTime(),
    membershipState: entry.membership,
    zone: entry.zone ?? '',
    weight: entry.weight,
  };
}

export function credentialMessage(usage: string, store: CredentialsStore): CredentialState {
  const snapshot = store.snapshot.value;
  const state = store.state.value;
  return {
    usage,
    trustGeneration: snapshot.generation,
    certificate: certificateMessage(snapshot.own.identity),
    anchors: snapshot.anchors.map(anchor => certificateMessage(anchor.identity)),
    loadedAtMs: snapshot.loadedAt.getTime(),
    lastReloadResult: state.lastResult,
    lastReloadAtMs: state.lastReload.getTime(),
    problem: describeProblems(state.problems),
    warnings: state.warnings,
    place: snapshot.own.place,
  };
}

export function certificateMessage(identity: PeerIdentity): CertificateState {
  return {
    subject: identity.subject,
    issuer: identity.issuer,
    names: [...identity.uris, ...identity.dnsNames, ...identity.ipAddresses],
    fingerprintSha256: identity.fingerprint256,
    serialNumber: identity.serialNumber,
    notBeforeMs: identity.notBefore.getTime(),
    notAfterMs: identity.notAfter.getTime(),
  };
}

/** The admin socket is no connection of the fabric. */
function countConnections(connections: readonly Connection[]): ConnectionCounts {
  const count = (direction: string, security: string) =>
    connections.filter(
      each => each.direction === direction && each.security === security && !each.roles.includes('local'),
    ).length;
  return {
    inboundMutualTls: count('inbound', 'mutual_tls'),
    inboundTls: count('inbound', 'tls'),
    inboundNone: count('inbound', 'none'),
    outboundMutualTls: count('outbound', 'mutual_tls'),
    outboundTls: count('outbound', 'tls'),
    outboundNone: count('outbound', 'none'),
  };
}

/** What the shadow policy would have changed; all of it empty where there is none. */
export function shadowReportOf(node: Pick<NodeFacts, 'nodeName' | 'shadow'>): ShadowReportMessage {
  const trial = node.shadow();
  return {
    nodeName: node.nodeName,
    policy: trial?.policy.name ?? '',
    sinceMs: trial?.report.sinceMs ?? 0,
    calls: trial?.report.calls ?? 0,
    wouldDeny: trial?.report.wouldDeny ?? 0,
    wouldAllow: trial?.report.wouldAllow ?? 0,
    divergences: trial?.report.entries ?? [],
    overflow: trial?.report.overflow ?? 0,
  };
}
