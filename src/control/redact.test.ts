import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  CaRoot,
  CaState,
  CaStatus,
  ClusterStatus,
  Connection,
  ConnectionCounts,
  NodeStatus,
  Peer,
  RootVerdict,
  TlsState,
} from '../rpc/control-messages.ts';
import {
  redactCaState,
  redactCaStatus,
  redactCluster,
  redactConnections,
  redactNodes,
  redactPeer,
  redactStatus,
  redactTls,
  redactUnreachable,
} from './redact.ts';

// Every text that could be an address, a host name or a subject holds this word, so that one search finds a leak.
const SECRET = 'hidden';

const peer: Required<Peer> = {
  nodeName: 'node-2',
  state: 'refused',
  security: 'none',
  securityReason: 'peer_without_tls',
  reason: 'subject_not_allowed',
  detail: `connect ECONNREFUSED ${SECRET}.example:5122`,
  generation: 2,
  mode: 'optional',
  addresses: [`https://${SECRET}.example:5122`],
  labels: { host: `${SECRET}.example` },
  version: '0.1.0',
  direction: 'outbound',
  sinceMs: 3,
  subject: `CN=${SECRET}`,
};
const counts: Required<ConnectionCounts> = {
  inboundMutualTls: 1,
  inboundTls: 2,
  inboundNone: 3,
  outboundMutualTls: 4,
  outboundTls: 5,
  outboundNone: 6,
};
const status: Required<NodeStatus> = {
  clusterName: 'dev',
  nodeName: 'node-1',
  generation: 1,
  version: '0.1.0',
  state: 'ready',
  mode: 'strict',
  advertisedAddresses: [`https://${SECRET}.example:5122`],
  startedAtMs: 4,
  labels: { host: `${SECRET}.example` },
  peers: [peer],
  connections: counts,
  certificateExpiresAtMs: 5,
  addressesRedacted: false,
  problems: [`${SECRET}.example cannot be dialled`],
  expiring: [
    {
      usage: 'server',
      subject: `CN=${SECRET}`,
      fingerprintSha256: 'ab',
      level: 'critical',
      expiresAtMs: 5,
      identity: SECRET,
    },
    {
      usage: 'peer',
      subject: `CN=${SECRET}`,
      fingerprintSha256: SECRET,
      level: 'notice',
      expiresAtMs: 6,
      identity: SECRET,
    },
  ],
};
const connection: Required<Connection> = {
  id: 7,
  direction: 'inbound',
  remoteAddress: `${SECRET}:1234`,
  security: 'mutual_tls',
  securityReason: '',
  tlsVersion: 'TLSv1.3',
  cipher: 'TLS_AES_128_GCM_SHA256',
  subject: `CN=${SECRET}`,
  identity: `spiffe://${SECRET}/x`,
  fingerprintSha256: `${SECRET}00`,
  roles: ['peer'],
  openedAtMs: 8,
  activeCalls: 9,
  certificateExpiresAtMs: 10,
  nodeName: 'node-2',
};
const certificate = {
  subject: `CN=${SECRET}`,
  issuer: `CN=${SECRET} CA`,
  names: [`${SECRET}.example`],
  fingerprintSha256: `${SECRET}00`,
  serialNumber: `${SECRET}01`,
  notBeforeMs: 0,
  notAfterMs: 1,
};
const tls: Required<TlsState> = {
  mode: 'strict',
  requireClientAuth: true,
  minVersion: 'TLSv1.3',
  allowedSubjectNames: [`uri:spiffe://${SECRET}/*`],
  credentials: [
    {
      usage: 'server',
      trustGeneration: 1,
      certificate,
      anchors: [certificate],
      loadedAtMs: 1,
      lastReloadResult: 'failed',
      lastReloadAtMs: 2,
      problem: `/etc/${SECRET}.pem: is missing`,
      warnings: [`the key of ${SECRET} is readable by others`],
    },
  ],
  addressesRedacted: false,
};
const cluster: Required<ClusterStatus> = {
  nodes: [status],
  unreachable: [{ nodeName: 'node-3', reason: `14 UNAVAILABLE: connect ECONNREFUSED ${SECRET}:5122` }],
  addressesRedacted: false,
};
const root: Required<CaRoot> = { subject: `CN=${SECRET} CA`, fingerprintSha256: 'ab'.repeat(32), notAfterMs: 11 };
const caState: Required<CaState> = {
  nodeName: 'node-1',
  usages: [{ usage: 'server', trustGeneration: 3, roots: [root], leafRoots: [root.fingerprintSha256] }],
  addressesRedacted: false,
};
const verdict: Required<RootVerdict> = {
  safe: false,
  inTheWay: 1,
  obstacles: [{ nodeName: 'node-3', reason: `did not answer: connect ECONNREFUSED ${SECRET}:5122` }],
};
const caStatus: Required<CaStatus> = {
  roots: [
    {
      ...root,
      trustedAsServer: 2,
      trustedAsClient: 3,
      trustedByProfiles: 4,
      presented: 5,
      members: [{ nodeName: `node-1.${SECRET}`, trustedAs: ['server'], presentedAs: ['client'] }],
      switch: verdict,
      drop: { ...verdict, safe: true, inTheWay: 0 },
    },
  ],
  members: 6,
  unknown: 1,
  unreachable: [{ nodeName: 'node-3', reason: `connect ECONNREFUSED ${SECRET}:5122` }],
  addressesRedacted: false,
};

const REDACTED = {
  status: redactStatus(status),
  peer: redactPeer(peer),
  nodes: redactNodes({ nodes: [peer], addressesRedacted: false }),
  connections: redactConnections({ connections: [connection], addressesRedacted: false }),
  tls: redactTls(tls),
  cluster: redactCluster(cluster),
  caState: redactCaState(caState),
  caStatus: redactCaStatus(caStatus),
  unreachable: cluster.unreachable.map(redactUnreachable),
};

for (const [name, message] of Object.entries(REDACTED)) {
  test(`no address, host name or subject survives in a redacted ${name}`, () => {
    assert.doesNotMatch(JSON.stringify(message), new RegExp(SECRET));
  });
}

test('every redacted answer says that it is', () => {
  const { peer: _, unreachable: __, ...answers } = REDACTED;
  for (const message of Object.values(answers)) assert.equal(message.addressesRedacted, true);
  assert.ok(REDACTED.cluster.nodes.every(node => node.addressesRedacted));
});

test('what is no address stays: who is there, in which state, and how it is secured', () => {
  assert.deepEqual(redactStatus(status), {
    ...status,
    advertisedAddresses: [],
    labels: {},
    peers: [{ ...peer, detail: '', addresses: [], labels: {}, subject: '' }],
    addressesRedacted: true,
    problems: [],
    expiring: [
      { usage: 'server', subject: '', fingerprintSha256: 'ab', level: 'critical', expiresAtMs: 5, identity: '' },
    ],
  });
  assert.deepEqual(redactConnections({ connections: [connection], addressesRedacted: false }).connections, [
    { ...connection, remoteAddress: '', subject: '', identity: '', fingerprintSha256: '' },
  ]);
  assert.deepEqual(REDACTED.tls, { ...tls, allowedSubjectNames: [], credentials: [], addressesRedacted: true });
  assert.deepEqual(REDACTED.unreachable, [{ nodeName: 'node-3', reason: '' }]);
});

test('of roots the fingerprints stay and of their status how many, so that a member can count and nobody is named', () => {
  assert.deepEqual(REDACTED.caState, {
    ...caState,
    usages: caState.usages.map(usage => ({ ...usage, roots: [{ ...root, subject: '' }] })),
    addressesRedacted: true,
  });
  const [entry] = caStatus.roots;
  assert.deepEqual(REDACTED.caStatus, {
    roots: [
      {
        ...entry,
        subject: '',
        members: [],
        switch: { safe: false, inTheWay: 1, obstacles: [] },
        drop: { safe: true, inTheWay: 0, obstacles: [] },
      },
    ],
    members: 6,
    unknown: 1,
    unreachable: [],
    addressesRedacted: true,
  });
  const withoutVerdict = caStatus.roots.map(each => ({ ...each, drop: null }));
  assert.equal(redactCaStatus({ ...caStatus, roots: withoutVerdict }).roots[0]?.drop, null);
});

test('what is redacted itself is left as it was', () => {
  assert.match(JSON.stringify([status, peer, connection, tls, cluster, caState, caStatus]), new RegExp(SECRET));
});
