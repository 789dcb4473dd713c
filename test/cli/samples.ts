import type { Connection, NodeStatus, Peer } from '../../src/rpc/control-messages.ts';

/** The time at which the tests of tables look. */
export const NOW: Date = new Date('2030-01-01T00:00:00Z');
/** The line under an answer that is redacted for the one who asks. */
export const REDACTED: RegExp = /^Redacted: .* admin and observer .* --config\)\.$/m;
export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

export function samplePeer(given: Partial<Peer> = {}): Peer {
  return {
    nodeName: 'node-2',
    state: 'connected',
    security: 'mutual_tls',
    securityReason: '',
    reason: '',
    detail: '',
    generation: 7,
    mode: 'strict',
    addresses: ['https://node-2.example:5122'],
    labels: { role: 'worker' },
    version: '0.1.0',
    direction: 'outbound',
    sinceMs: NOW.getTime() - 3 * MINUTE_MS,
    subject: 'CN=node-2',
    liveness: 'alive',
    livenessReason: 'connected',
    livenessSinceMs: NOW.getTime() - 4 * MINUTE_MS,
    membershipState: 'active',
    zone: 'eu-1a',
    weight: 1,
    ...given,
  };
}

export function sampleStatus(given: Partial<NodeStatus> = {}): NodeStatus {
  return {
    clusterName: 'dev',
    nodeName: 'node-1',
    generation: 5,
    version: '0.1.0',
    state: 'ready',
    mode: 'strict',
    advertisedAddresses: ['https://node-1.example:5122'],
    startedAtMs: NOW.getTime() - 5 * MINUTE_MS,
    labels: { role: 'worker', zone: 'a' },
    peers: [samplePeer()],
    connections: {
      inboundMutualTls: 1,
      inboundTls: 0,
      inboundNone: 1,
      outboundMutualTls: 1,
      outboundTls: 0,
      outboundNone: 0,
    },
    problems: [],
    notices: [],
    membershipSources: [],
    expiring: [],
    peersConnected: 'all',
    certificateExpiresAtMs: NOW.getTime() + 29 * DAY_MS,
    addressesRedacted: false,
    ...given,
  };
}

export function sampleConnection(given: Partial<Connection> = {}): Connection {
  return {
    id: 3,
    direction: 'inbound',
    remoteAddress: '10.0.0.2:40000',
    security: 'mutual_tls',
    securityReason: '',
    tlsVersion: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    subject: 'CN=node-2',
    identity: 'spiffe://dev/fabric/node-2',
    fingerprintSha256: 'ab'.repeat(32),
    roles: ['peer', 'admin'],
    openedAtMs: NOW.getTime() - 2 * MINUTE_MS,
    activeCalls: 1,
    certificateExpiresAtMs: NOW.getTime() + 3 * DAY_MS,
    nodeName: 'node-2',
    ...given,
  };
}
