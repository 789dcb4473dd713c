import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL_EXPLANATION } from '../../test/kit/explanation.ts';
import type { CaRoot, CaState, CaUsage, RootMember, RootObstacle, RootStatus, RootVerdict } from './ca-messages.ts';
import {
  type CertificateState,
  type CheckModeResponse,
  type ClusterControlMethods,
  type Connection,
  type ConnectionCounts,
  type CredentialState,
  clusterControl,
  type EditMembershipResponse,
  type Expiring,
  type ModeObstacle,
  type NodeControlMethods,
  type NodeStatus,
  nodeControl,
  type Peer,
  type ShadowDivergence,
  type ShadowReportMessage,
  type Unreachable,
} from './control-messages.ts';
import { packageDefinition, type UnaryMethods, type UnaryService } from './service.ts';

type Samples<Methods extends UnaryMethods> = {
  readonly [Name in keyof Methods]: {
    readonly request: Methods[Name]['request'];
    readonly response: Methods[Name]['response'];
  };
};

const peer: Required<Peer> = {
  nodeName: 'node-2',
  state: 'connected',
  security: 'none',
  securityReason: 'peer_without_tls',
  reason: 'subject_not_allowed',
  detail: 'why',
  generation: 1_700_000_000_123,
  mode: 'optional',
  addresses: ['https://node-2.example:5122'],
  labels: { role: 'worker' },
  version: '0.1.0',
  direction: 'outbound',
  sinceMs: 1_700_000_000_456,
  subject: 'CN=node-2',
  liveness: 'suspect',
  livenessReason: 'silence',
  livenessSinceMs: 1_700_000_000_789,
  membershipState: 'draining',
  zone: 'eu-1a',
  weight: 65_535,
};
const connectionCounts: Required<ConnectionCounts> = {
  inboundMutualTls: 1,
  inboundTls: 2,
  inboundNone: 3,
  outboundMutualTls: 4,
  outboundTls: 5,
  outboundNone: 6,
};
const expiring: Required<Expiring> = {
  usage: 'ca',
  subject: 'CN=dev CA',
  fingerprintSha256: 'ef',
  level: 'notice',
  identity: 'dev CA',
  expiresAtMs: 1_700_000_000_000,
};
const nodeStatus: Required<NodeStatus> = {
  clusterName: 'dev',
  nodeName: 'node-1',
  generation: 1_700_000_000_123,
  version: '0.1.0',
  state: 'ready',
  mode: 'strict',
  advertisedAddresses: ['https://node-1.example:5122'],
  startedAtMs: 1_700_000_000_000,
  labels: { zone: 'a' },
  peers: [peer],
  connections: connectionCounts,
  certificateExpiresAtMs: 1_800_000_000_000,
  addressesRedacted: true,
  problems: ['members: no member is listed'],
  notices: ['node-2 came back'],
  membershipSources: [{ kind: 'etcd', state: 'frozen', sinceMs: 7, problem: 'no answer', members: 3 }],
  expiring: [expiring],
  peersConnected: 'all',
};
const connection: Required<Connection> = {
  id: 7,
  direction: 'inbound',
  remoteAddress: '10.0.0.2:40000',
  security: 'mutual_tls',
  securityReason: 'unix_socket',
  tlsVersion: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  subject: 'CN=node-2',
  identity: 'spiffe://dev/fabric/node-2',
  fingerprintSha256: 'ab:cd',
  roles: ['peer'],
  openedAtMs: 1_700_000_000_000,
  activeCalls: 2,
  certificateExpiresAtMs: 1_800_000_000_000,
  nodeName: 'node-2',
};
const certificate: Required<CertificateState> = {
  subject: 'CN=node-1',
  issuer: 'CN=dev CA',
  names: ['dns:node-1.example'],
  fingerprintSha256: 'ab:cd',
  serialNumber: '01',
  notBeforeMs: 1_700_000_000_000,
  notAfterMs: 1_800_000_000_000,
};
const credentialState: Required<CredentialState> = {
  usage: 'server',
  trustGeneration: 3,
  certificate,
  anchors: [certificate],
  loadedAtMs: 1_700_000_000_000,
  lastReloadResult: 'failed',
  lastReloadAtMs: 1_700_000_000_001,
  problem: 'the key does not belong to the certificate',
  warnings: ['expires soon'],
  place: '/run/spire/svids/svid.pem',
};
const modeObstacle: Required<ModeObstacle> = { code: 'member_in_plain', nodeName: 'node-3', detail: 'why' };
const checkMode: Required<CheckModeResponse> = {
  nodeName: 'node-1',
  from: 'optional',
  to: 'strict',
  ready: true,
  obstacles: ['node-3 speaks no TLS'],
  addressesRedacted: true,
  modeObstacles: [modeObstacle],
};
const edited: Required<EditMembershipResponse> = { nodeName: 'node-7', membershipState: 'draining' };
const unreachable: Required<Unreachable> = { nodeName: 'node-3', reason: 'connection refused' };

const caRoot: Required<CaRoot> = { subject: 'CN=dev CA', fingerprintSha256: 'abcd', notAfterMs: 1_800_000_000_000 };
const caUsage: Required<CaUsage> = { usage: 'server', trustGeneration: 3, roots: [caRoot], leafRoots: ['abcd'] };
const caState: Required<CaState> = { nodeName: 'node-1', usages: [caUsage], addressesRedacted: true };
const obstacle: Required<RootObstacle> = { nodeName: 'node-2', reason: 'did not answer' };
const verdict: Required<RootVerdict> = { safe: true, inTheWay: 1, obstacles: [obstacle] };
const rootMember: Required<RootMember> = { nodeName: 'node-1', trustedAs: ['server'], presentedAs: ['client'] };
const rootStatus: Required<RootStatus> = {
  ...caRoot,
  trustedAsServer: 1,
  trustedAsClient: 2,
  trustedByProfiles: 3,
  presented: 4,
  members: [rootMember],
  switch: verdict,
  drop: verdict,
};

const divergence: Required<ShadowDivergence> = {
  principal: 'spiffe://dev/app',
  method: '/a.Orders/Place',
  decision: 'would_deny',
  rule: 'orders',
  count: 7,
  firstAtMs: 1_700_000_000_000,
  lastAtMs: 1_700_000_000_001,
};
const shadowReport: Required<ShadowReportMessage> = {
  nodeName: 'node-1',
  policy: 'next',
  sinceMs: 1_700_000_000_000,
  calls: 9,
  wouldDeny: 7,
  wouldAllow: 1,
  divergences: [divergence],
  overflow: 1,
};

const NODE_CONTROL: Samples<NodeControlMethods> = {
  GetStatus: { request: {}, response: nodeStatus },
  ListConnections: { request: {}, response: { connections: [connection], addressesRedacted: true } },
  GetTlsState: {
    request: {},
    response: {
      mode: 'strict',
      requireClientAuth: true,
      minVersion: '1.3',
      allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
      credentials: [credentialState],
      addressesRedacted: true,
    },
  },
  GetCaState: { request: {}, response: caState },
  CheckMode: { request: { to: 'strict' }, response: checkMode },
  GetShadowReport: { request: {}, response: shadowReport },
  Explain: {
    request: {
      subject: 'nodeName',
      nodeName: 'node-2',
      method: '/acme.Shop/Buy',
      headers: [{ key: 'tenant', value: 'a' }],
    },
    response: { explanations: [FULL_EXPLANATION], mode: 'strict' },
  },
  ReloadTls: { request: {}, response: { result: 'ok', problems: ['none'], trustGeneration: 4 } },
  Drain: { request: {}, response: { state: 'draining' } },
};
const CLUSTER_CONTROL: Samples<ClusterControlMethods> = {
  GetClusterStatus: {
    request: {},
    response: { nodes: [nodeStatus], unreachable: [unreachable], addressesRedacted: true },
  },
  ListNodes: { request: {}, response: { nodes: [peer], addressesRedacted: true, removed: ['node-7'] } },
  GetCaStatus: {
    request: {},
    response: { roots: [rootStatus], members: 3, unknown: 1, unreachable: [unreachable], addressesRedacted: true },
  },
  Preflight: {
    request: { to: 'optional' },
    response: { ready: true, nodes: [checkMode], unreachable: [unreachable], addressesRedacted: true },
  },
  AddNode: {
    request: { nodeName: 'node-7', addresses: ['a:1'], labels: { role: 'worker' }, zone: 'eu-1a', weight: 7 },
    response: edited,
  },
  RemoveNode: { request: { nodeName: 'node-7' }, response: edited },
  DrainNode: { request: { nodeName: 'node-7' }, response: edited },
  TerminateNode: { request: { nodeName: 'node-7' }, response: edited },
};

test('every message of NodeControl has the fields of its proto definition and no other', () => {
  assertRoundTrips(nodeControl, NODE_CONTROL);
});

test('a weight that is left out is not a weight of 0', () => {
  const { requestSerialize, requestDeserialize } = clusterControl.definition.AddNode ?? assert.fail();
  const weightOf = (request: object) => Reflect.get(requestDeserialize(requestSerialize(request)), 'weight');
  assert.deepEqual([weightOf({ nodeName: 'a' }), weightOf({ nodeName: 'a', weight: 0 })], [undefined, 0]);
});

test('every message of ClusterControl has the fields of its proto definition and no other', () => {
  assertRoundTrips(clusterControl, CLUSTER_CONTROL);
});

test('no message of the proto file is out of reach of the samples', () => {
  const inside = ['NodeStatus', 'Peer', 'ConnectionCounts', 'Connection', 'TlsState', 'CredentialState', 'Certificate'];
  const answers = [
    'CheckModeResponse',
    'ClusterStatus',
    'Unreachable',
    'PreflightResponse',
    'EditMembershipResponse',
    'DrainResponse',
    'Expiring',
    'MembershipSource',
    'ShadowReport',
    'ShadowDivergence',
    'ModeObstacle',
  ];
  const lists = ['ListConnectionsResponse', 'ListNodesResponse', 'ReloadTlsResponse'];
  const requests = [
    'GetStatus',
    'ListConnections',
    'GetTlsState',
    'GetCaState',
    'CheckMode',
    'GetShadowReport',
    'ReloadTls',
    'Drain',
  ];
  const clusterRequests = ['GetClusterStatus', 'ListNodes', 'GetCaStatus', 'AddNode', 'NamedNode'];
  const ca = ['CaState', 'CaUsage', 'CaRoot', 'CaStatus', 'RootStatus', 'RootMember', 'RootVerdict', 'RootObstacle'];
  const explain = [
    ...['ExplainRequest', 'Header', 'ExplainResponse', 'Explanation', 'NameMatch', 'ChainCertificate'],
    ...['CertificateNames', 'RolePattern', 'Expectation', 'MethodExplanation', 'PolicyDecision'],
  ];
  const reached = [
    ...inside,
    ...explain,
    ...ca,
    ...answers,
    ...lists,
    ...[...requests, ...clusterRequests].map(name => `${name}Request`),
  ];
  const messages = Object.entries(packageDefinition)
    .filter(([name, definition]) => name.startsWith('selvedge.control.v1.') && 'format' in definition)
    .map(([name]) => name.slice('selvedge.control.v1.'.length));
  assert.deepEqual(messages.sort(), reached.sort());
});

/** A field missing in the interface is missing in the sample and comes back as a default; one too many is not sent. */
function assertRoundTrips<Methods extends UnaryMethods>(
  service: UnaryService<Methods>,
  samples: Samples<Methods>,
): void {
  assert.deepEqual(Object.keys(samples).sort(), Object.keys(service.definition).sort());
  for (const [name, method] of Object.entries(service.definition)) {
    const sample = samples[name];
    assert.ok(sample !== undefined);
    assert.deepEqual(plain(method.requestDeserialize(method.requestSerialize(sample.request))), sample.request);
    assert.deepEqual(plain(method.responseDeserialize(method.responseSerialize(sample.response))), sample.response);
  }
}

/** Without what the protobuf runtime adds: prototypes, which strict equality compares, and `_weight` for a field that may be left out. */
function plain(message: object): unknown {
  return JSON.parse(JSON.stringify(message), (key, value) => (key.startsWith('_') ? undefined : value));
}
