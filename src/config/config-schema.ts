import {
  AUTH_METHODS,
  type AuditOptions,
  type AuthorizationOptions,
  type FabricNodeOptions,
  type JwtOptions,
  type NetworkingOptions,
  type ObservabilityOptions,
} from '../node/node-options.ts';
import { LOG_LEVELS } from '../telemetry/logger.ts';
import { type Field, table, value } from './field.ts';
import { membership } from './membership-schema.ts';
import { tls } from './tls-schema.ts';
import {
  addressList,
  bindAddress,
  count,
  duration,
  flag,
  hostPort,
  listOfWords,
  oneOf,
  path,
  text,
  textList,
  textMap,
} from './value-types.ts';

const networking = table<NetworkingOptions>('networking', {
  bindAddress: value('bind-address', bindAddress, {
    meaning: 'Where the fabric listens: `host:port`, or `unix:/path`. Port 0 takes a free one.',
    default: '"0.0.0.0:5122"',
  }),
  advertisedAddresses: value('advertised-address', addressList, {
    meaning: 'What peers are told to dial. Without a scheme it gets the scheme, or the two, of the mode.',
    otherwise: '`bind-address`, or the host name where that is a wildcard',
  }),
  drainTimeoutMs: value('drain-timeout', duration, {
    meaning: 'Calls and streams that still run this long after a drain began are cut, with a reason.',
    default: '"30s"',
  }),
  maxConnections: value('max-connections', count, {
    meaning: 'Open inbound connections; the next one is refused.',
    default: '10000',
  }),
  maxConnectionsWithoutCertificate: value('max-connections-without-certificate', count, {
    meaning: 'Of these, TLS connections that show no certificate; the next one is refused, and peers have the rest.',
    default: '1000',
  }),
  maxUnfinishedHandshakes: value('max-unfinished-handshakes', count, {
    meaning: 'Connections that still sniff or shake hands; beyond it the oldest is dropped.',
    default: '1000',
  }),
  maxConcurrentCalls: value('max-concurrent-calls', count, {
    meaning: 'Calls that one connection may have open at a time; more are refused unprocessed.',
    default: '1000',
  }),
  maxMessageBytes: value('max-message-bytes', count, {
    meaning:
      'The largest message received or sent. At least 4096; gRPC messages of 64 KiB are taken all the same, as the peer stream needs them.',
    default: '4194304',
  }),
  messageQueueBytes: value('message-queue-bytes', count, {
    meaning:
      'What may wait to be sent to one member over its peer stream, for each priority: requests and messages up to this, replies too. At least 4096.',
    default: '16777216',
  }),
  messageWindowBytes: value('message-window-bytes', count, {
    meaning:
      'What one member may have sent to this node over its peer stream and not dealt with here, for each priority. 4096 to 1073741824.',
    default: '1048576',
  }),
  maxStreamedCallBytes: value('max-streamed-call-bytes', count, {
    meaning:
      'A unary call with a request of up to this, metadata included, goes over the peer stream; a larger one over HTTP/2. 0: all of them.',
    default: '262144',
  }),
  heartbeatIntervalMs: value('heartbeat-interval', duration, {
    meaning: 'How often each side of a peer stream says that it is alive.',
    default: '"5s"',
  }),
  heartbeatTimeoutMs: value('heartbeat-timeout', duration, {
    meaning: 'A peer stream that was silent this long is given up. Longer than `heartbeat-interval`.',
    default: '"15s"',
  }),
  watchedMembers: value('watched-members', count, {
    meaning:
      'How many members this node keeps a peer stream to though nothing is sent; others are `idle`. In `optional` it is all of them.',
    default: '16',
  }),
  idleTimeoutMs: value('idle-timeout', duration, {
    meaning:
      'A peer stream that neither side watches, and a connection without calls, end after this long without traffic. At least 1s.',
    default: '"5m"',
  }),
  reconnectMaxDelayMs: value('reconnect-max-delay', duration, {
    meaning: 'The longest wait between two dials of the same peer.',
    default: '"5s"',
  }),
  connectTimeoutMs: value('connect-timeout', duration, {
    meaning: "Deadline of one dial: TCP, TLS and the server's first answer.",
    default: '"10s"',
  }),
  holdTimeoutMs: value('hold-timeout', duration, {
    meaning: 'How long a call waits for a member that cannot be reached. Its own deadline ends it earlier.',
    default: '"30s"',
  }),
  refusedHoldTimeoutMs: value('refused-hold-timeout', duration, {
    meaning: 'How long a call waits for a member that refuses this node.',
    default: '"3s"',
  }),
  tls,
});

const jwt = table<JwtOptions>('jwt', {
  issuer: value('issuer', text, {
    meaning: 'Who makes the JWTs: exactly their claim `iss`.',
    otherwise: 'required in this table',
  }),
  audiences: value('audience', textList, {
    meaning: 'Whom they are for: one of these must be in their claim `aud`.',
    otherwise: 'required in this table',
  }),
  jwksFile: value('jwks-file', path, {
    meaning: 'JWK set (RFC 7517) with the public keys of the issuer; watched.',
    otherwise: 'required in this table',
  }),
  clockSkewMs: value('clock-skew', duration, {
    meaning: 'By how much the clocks of issuer and node may differ. At most 10m.',
    default: '"30s"',
  }),
  rolesClaim: value('roles-claim', text, {
    meaning:
      'The claim that says the roles, a text or a list of texts. One that begins with `/` is a JSON pointer, such as `/realm_access/roles`.',
    default: '"roles"',
  }),
  adminValues: value('admin-values', textList, {
    meaning: 'Values of that claim that give the role `admin`.',
    default: '[]',
  }),
  observerValues: value('observer-values', textList, {
    meaning: 'Values of that claim that give the role `observer`.',
    default: '[]',
  }),
});

const authorization = table<AuthorizationOptions>('authorization', {
  auth: value('auth', listOfWords(AUTH_METHODS), {
    meaning:
      'What may give callers of the control services the roles `admin` and `observer`: their certificate, a static token, a JWT. With one of the last two, callers without a certificate need a token there.',
    default: '["mtls"]',
  }),
  adminSubjectNames: value('admin-subject-names', textList, {
    meaning: 'Subject-name patterns of who holds the role `admin`.',
    default: '[]',
  }),
  observerSubjectNames: value('observer-subject-names', textList, {
    meaning: 'Subject-name patterns of who holds the role `observer`.',
    default: '[]',
  }),
  policyFile: value('policy-file', path, {
    meaning: 'Who may call which method of the application, and who nothing: JSON of gRFC A43; watched.',
    otherwise: 'the built-in rules alone',
  }),
  shadowPolicyFile: value('shadow-policy-file', path, {
    meaning: 'The same, of a policy that is only tried out and reported; watched.',
    otherwise: 'none is tried out',
  }),
  tokenFile: value('token-file', path, {
    meaning: 'The static tokens, by their hashes; watched. Lines are made by `selvedgectl token new`.',
    otherwise: 'required with `token` in `auth`',
  }),
  insecureAllowPlaintextTokens: value('insecure-allow-plaintext-tokens', flag, {
    meaning: 'Take bearer tokens over plaintext too, where everybody on the way can read and use them.',
    default: 'false',
  }),
  jwt,
});

const audit = table<AuditOptions>('audit', {
  file: value('file', path, {
    meaning: 'Where records go: JSON lines, appended; made with mode 0600 where it is missing.',
    otherwise: 'the log, as `audit.record`',
  }),
  maxDenialsPerSecond: value('max-denials-per-second', count, {
    meaning: 'Denials that are recorded in a second; beyond it they are counted, and the count is recorded.',
    default: '200',
  }),
  maxDenialsPerSecondPerSource: value('max-denials-per-second-per-source', count, {
    meaning: 'The same of one principal, or of one host where nothing was proven.',
    default: '20',
  }),
});

const observability = table<ObservabilityOptions>('observability', {
  bindAddress: value('bind-address', hostPort, {
    meaning: '`host:port` of the HTTP listener for `/healthz`, `/readyz` and `/metrics`. Port 0 takes a free one.',
    otherwise: 'required in this table',
  }),
});

/**
 * The configuration: every key, once. Reading, overriding, the remedy of an unknown key, what may change while
 * running, and the check of `docs/configuration.md` all come from here.
 */
export const CONFIG_SCHEMA: Field<FabricNodeOptions> = table<FabricNodeOptions>('', {
  clusterName: value('cluster-name', text, {
    meaning: 'Peers of another cluster are refused.',
    otherwise: 'required',
  }),
  nodeName: value('node-name', text, {
    meaning: 'Stable, and unique in the cluster: `[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?`.',
    otherwise: 'required',
  }),
  dataDir: value('data-dir', path, {
    meaning: 'Lock, generation and admin socket live here. Created with mode 0700 where it is missing.',
    otherwise: 'required',
  }),
  adminSocket: value('admin-socket', path, {
    meaning: 'The unix socket for local administration, mode 0600. At most 107 bytes.',
    otherwise: '`admin.sock` in `data-dir`',
  }),
  labels: value('labels', textMap, {
    meaning: 'Told to peers; clients can ask for any ready member with a label.',
    default: '{}',
  }),
  zone: value('zone', text, {
    meaning: 'What fails together with this node, such as an availability zone. Told to peers; at most 128 characters.',
    otherwise: 'none',
  }),
  weight: value('weight', count, {
    meaning:
      'Its share of the calls of clients that pick among members, 0 to 65535; 0: only where all have 0. Told to peers.',
    default: '1',
  }),
  logLevel: value('log-level', oneOf(LOG_LEVELS), {
    meaning: 'Less than this is not logged.',
    default: '"info"',
  }),
  networking,
  membership,
  authorization,
  audit,
  observability,
});
