import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaRoot, CaState, CaStatus, RootVerdict } from '../rpc/ca-messages.ts';
import type { CheckModeResponse, ConnectionCounts, NodeStatus, Peer, TlsState } from '../rpc/control-messages.ts';
import {
  redactCaState,
  redactCaStatus,
  redactCheckMode,
  redactCluster,
  redactNodes,
  redactPreflight,
  redactStatus,
  redactTls,
} from './redact.ts';

// Every text that could be an address, a host name, a subject or the name of another holds this word, so that one search
// finds a leak.
const SECRET = 'hidden';

const peer: Required<Peer> = {
  nodeName: `node-${SECRET}`,
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
  liveness: 'suspect',
  livenessReason: 'silence',
  livenessSinceMs: 4,
  membershipState: 'draining',
  zone: SECRET,
  weight: 5,
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
  notices: [`${SECRET} came back without it`],
  membershipSources: [{ kind: 'etcd', state: 'frozen', sinceMs: 7, problem: SECRET, members: 3 }],
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
  peersConnected: 'not_all',
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
      place: `/certs/${SECRET}.pem`,
    },
  ],
  addressesRedacted: false,
};
const checkMode: Required<CheckModeResponse> = {
  nodeName: 'node-1',
  from: 'optional',
  to: 'strict',
  ready: false,
  obstacles: [`node-${SECRET} is in mode plain.`],
  addressesRedacted: false,
  modeObstacles: [
    { code: 'member_in_plain', nodeName: `node-${SECRET}`, detail: SECRET },
    { code: 'member_in_plain', nodeName: `node-${SECRET}-2`, detail: '' },
    { code: 'plaintext_connections', nodeName: '', detail: `17 ${SECRET}` },
  ],
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
  obstacles: [{ nodeName: `node-${SECRET}`, reason: `did not answer: connect ECONNREFUSED ${SECRET}:5122` }],
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
  unreachable: [{ nodeName: `node-${SECRET}`, reason: `connect ECONNREFUSED ${SECRET}:5122` }],
  addressesRedacted: false,
};

const self: Required<Peer> = { ...peer, nodeName: 'node-1', state: 'self' };

const REDACTED = {
  status: redactStatus(status),
  nodes: redactNodes(self),
  tls: redactTls(tls),
  cluster: redactCluster(status),
  checkMode: redactCheckMode(checkMode),
  preflight: redactPreflight(false, checkMode),
  caState: redactCaState(caState),
  caStatus: redactCaStatus(caStatus),
};

for (const [name, message] of Object.entries(REDACTED)) {
  test(`no address, host name, subject or name of another survives in a redacted ${name}, which says that it is`, () => {
    assert.doesNotMatch(JSON.stringify(message), new RegExp(SECRET));
    assert.equal(message.addressesRedacted, true);
  });
}

test('the answer is the same however many others there are', () => {
  const alone = { ...status, peers: [], connections: { ...counts, inboundMutualTls: 0 } };
  assert.deepEqual(redactStatus(alone), REDACTED.status);
  const [first] = checkMode.modeObstacles;
  const [, , last] = checkMode.modeObstacles;
  assert.ok(first !== undefined && last !== undefined);
  assert.deepEqual(redactCheckMode({ ...checkMode, modeObstacles: [first, last] }), REDACTED.checkMode);
});

test('what is of the node itself stays: its state, mode, generation, version, certificates and what stands in its way', () => {
  assert.deepEqual(REDACTED.status, {
    ...status,
    advertisedAddresses: [],
    labels: {},
    peers: [],
    connections: null,
    addressesRedacted: true,
    problems: [],
    notices: [],
    membershipSources: [{ kind: 'etcd', state: 'frozen', sinceMs: 7, problem: '', members: 0 }],
    expiring: [
      { usage: 'server', subject: '', fingerprintSha256: 'ab', level: 'critical', expiresAtMs: 5, identity: '' },
    ],
  });
  assert.deepEqual(REDACTED.cluster.nodes, [REDACTED.status]);
  assert.deepEqual(REDACTED.nodes.nodes, [{ ...self, detail: '', addresses: [], labels: {}, subject: '', zone: '' }]);
  assert.deepEqual(REDACTED.tls, { ...tls, allowedSubjectNames: [], credentials: [], addressesRedacted: true });
  assert.deepEqual(REDACTED.checkMode, {
    ...checkMode,
    obstacles: ['A member is in mode plain and could not reach this node.', 'Plaintext connections are open.'],
    addressesRedacted: true,
    modeObstacles: [
      { code: 'member_in_plain', nodeName: '', detail: '' },
      { code: 'plaintext_connections', nodeName: '', detail: '' },
    ],
  });
});

test('of roots the fingerprints stay, so that a member can count, and of their status whether it is safe', () => {
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
        trustedAsServer: 0,
        trustedAsClient: 0,
        trustedByProfiles: 0,
        presented: 0,
        members: [],
        switch: { safe: false, inTheWay: 0, obstacles: [] },
        drop: { safe: true, inTheWay: 0, obstacles: [] },
      },
    ],
    members: 0,
    unknown: 0,
    unreachable: [],
    addressesRedacted: true,
  });
  const withoutVerdict = caStatus.roots.map(each => ({ ...each, drop: null }));
  assert.equal(redactCaStatus({ ...caStatus, roots: withoutVerdict }).roots[0]?.drop, null);
});

test('what is redacted itself is left as it was', () => {
  assert.match(JSON.stringify([status, self, tls, checkMode, caState, caStatus]), new RegExp(SECRET));
});
