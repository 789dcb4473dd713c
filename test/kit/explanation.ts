import type {
  CertificateNames,
  ChainCertificate,
  Expectation,
  Explanation,
  MethodExplanation,
  NameMatch,
  PolicyDecision,
  RolePattern,
} from '../../src/rpc/explain-messages.ts';

const match: Required<NameMatch> = {
  pattern: 'uri:spiffe://dev/fabric/*',
  kind: 'uri',
  value: 'spiffe://dev/other/x',
  why: 'segment 1 is another',
};
const certificate: Required<ChainCertificate> = {
  subject: 'CN=node-2',
  issuer: 'CN=dev CA',
  fingerprintSha256: 'abcd',
  serialNumber: '41',
  notBeforeMs: 1_700_000_000_000,
  notAfterMs: 1_800_000_000_000,
  isAnchor: true,
};
const names: Required<CertificateNames> = {
  commonName: 'node-2',
  dnsNames: ['node-2.example'],
  uris: ['spiffe://dev/fabric/node-2'],
  ipAddresses: ['10.0.0.2'],
  spiffeId: 'spiffe://dev/fabric/node-2',
};
const rolePattern: Required<RolePattern> = { role: 'peer', matched: match, nearest: match, patterns: 2 };
const expectation: Required<Expectation> = {
  profile: 'profile 1',
  kind: 'node_identity',
  expected: ['uri:spiffe://dev/fabric/node-2'],
  nearest: match,
};
const decision: Required<PolicyDecision> = { allowed: true, policy: 'built-in', rule: 'fabric', why: 'because' };
const method: Required<MethodExplanation> = {
  method: '/acme.Shop/Buy',
  served: true,
  enforced: decision,
  shadow: decision,
};

/** An explanation in which nothing is left out. */
export const FULL_EXPLANATION: Required<Explanation> = {
  usage: 'client',
  connectionId: 7,
  direction: 'inbound',
  remoteAddress: '10.0.0.2:40000',
  security: 'mutual_tls',
  nodeName: 'node-2',
  admitted: true,
  reason: 'subject_not_allowed',
  detail: 'why',
  roles: ['peer'],
  matched: match,
  chain: [certificate],
  names,
  rolePatterns: [rolePattern],
  expectation,
  provesNodes: ['node-2'],
  principal: 'spiffe://dev/fabric/node-2',
  methods: [method],
  refusedAtMs: 1_750_000_000_000,
  refusedReason: 'unknown_ca',
};
