import * as grpc from '@grpc/grpc-js';
import type { NodeFacts } from '../../src/control/node-facts.ts';
import type { PeerEntry } from '../../src/messaging/peer-table.ts';
import type { Connection } from '../../src/rpc/control-messages.ts';

/** Facts of a node that is alone, for the services that tell them. */
export function nodeFacts(changes: Partial<NodeFacts> = {}): NodeFacts {
  return {
    clusterName: 'dev',
    nodeName: 'node-1',
    generation: 11,
    version: '0.1.0',
    startedAt: new Date(1_000),
    labels: { role: 'worker' },
    membership: () => ({ membershipState: 'active', labels: { role: 'worker' }, zone: 'eu-1a', weight: 1 }),
    removed: () => [],
    state: () => 'ready',
    problems: () => [],
    notices: () => [],
    membershipSources: () => [],
    expiring: () => [],
    mode: () => 'optional',
    advertisedAddresses: () => ['https://node-1.example:5122'],
    peers: () => [],
    connections: () => [],
    tls: () => undefined,
    credentials: () => [],
    shadow: () => undefined,
    explain: () => ({ explanations: [], mode: 'optional' }),
    reloadTls: async () => ({ result: 'unchanged', problems: [], generation: 1 }),
    drain: () => {},
    editMembership: async () => {},
    askMember: () => new grpc.Client('127.0.0.1:1', grpc.credentials.createInsecure()),
    ...changes,
  };
}

/** A member that was never reached. */
export function peerEntry(changes: Partial<PeerEntry> = {}): PeerEntry {
  return {
    name: 'node-2',
    state: 'connecting',
    liveness: { state: 'unknown', reason: 'never_heard', generation: undefined, since: new Date(2_000) },
    security: undefined,
    direction: undefined,
    reason: undefined,
    detail: undefined,
    generation: undefined,
    mode: undefined,
    version: undefined,
    labels: {},
    membership: 'active',
    zone: undefined,
    weight: 1,
    since: new Date(2_000),
    identity: undefined,
    addresses: [],
    ...changes,
  };
}

export function connectionMessage(changes: Partial<Connection> = {}): Connection {
  return {
    id: 1,
    direction: 'inbound',
    remoteAddress: '10.0.0.9:40000',
    security: 'none',
    securityReason: 'plaintext_peer',
    tlsVersion: '',
    cipher: '',
    subject: '',
    identity: '',
    fingerprintSha256: '',
    roles: ['anonymous'],
    openedAtMs: 3_000,
    activeCalls: 0,
    certificateExpiresAtMs: 0,
    nodeName: '',
    ...changes,
  };
}
