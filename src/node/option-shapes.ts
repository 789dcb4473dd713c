import type { CredentialOptions } from './credential-options.ts';
import type { FabricCredentialsOptions } from './fabric-credentials-options.ts';
import type { DnsMembershipOptions, EtcdMembershipOptions, MembershipOptions } from './membership-options.ts';
import type {
  AuditOptions,
  AuthorizationOptions,
  FabricNodeOptions,
  JwtOptions,
  NetworkingOptions,
  ObservabilityOptions,
  TlsOptions,
  TlsProfileOptions,
} from './node-options.ts';

/** What kind of value an option takes; of a table with its own options, and of a list of such tables, which. */
export type OptionShape =
  | 'text'
  | 'number'
  | 'boolean'
  | 'texts'
  | 'text or texts'
  | 'labels'
  | 'time'
  | 'object'
  | { readonly kind: 'table' | 'tables'; readonly options: OptionShapes };
export type OptionShapes = Readonly<Record<string, OptionShape>>;

type ShapeOf<Value> = [Value] extends [string | readonly string[]]
  ? [Value] extends [string]
    ? 'text'
    : [Value] extends [readonly string[]]
      ? 'texts'
      : 'text or texts'
  : Value extends string
    ? 'text'
    : Value extends Date
      ? 'time'
      : Value extends number
        ? 'number'
        : Value extends boolean
          ? 'boolean'
          : Value extends readonly string[]
            ? 'texts'
            : Value extends readonly object[]
              ? { readonly kind: 'tables'; readonly options: OptionShapes }
              : string extends keyof Value
                ? 'labels'
                : 'object' | { readonly kind: 'table'; readonly options: OptionShapes };

/** The compiler holds the options complete and of the right kind. */
type ShapesOf<Options> = { readonly [Option in keyof Options]-?: ShapeOf<NonNullable<Options[Option]>> };

const table = <Options>(options: ShapesOf<Options> & OptionShapes) => ({ kind: 'table', options }) as const;

const CREDENTIALS: ShapesOf<CredentialOptions> = {
  source: 'text',
  certFile: 'text',
  keyFile: 'text',
  bundleFile: 'text',
  directory: 'text',
  workloadApiSocket: 'text',
  caFiles: 'texts',
  crlFiles: 'texts',
};

const PROFILE: ShapesOf<TlsProfileOptions> = {
  ...CREDENTIALS,
  name: 'text',
  destinations: 'texts',
  serverSubjectNames: 'texts',
  nodeIdentity: 'text',
};

const TLS: ShapesOf<TlsOptions> = {
  ...CREDENTIALS,
  mode: 'text',
  requireClientAuth: 'boolean',
  allowedSubjectNames: 'texts',
  serverSubjectNames: 'texts',
  deniedCertificates: 'texts',
  nodeIdentity: 'text',
  minVersion: 'text',
  handshakeTimeoutMs: 'number',
  sniffTimeoutMs: 'number',
  withdrawalGraceMs: 'number',
  canary: 'boolean',
  refuseDowngrade: 'boolean',
  plaintextDeadline: 'time',
  refreshIntervalMs: 'number',
  client: table<CredentialOptions>(CREDENTIALS),
  profiles: { kind: 'tables', options: PROFILE },
};

const NETWORKING: ShapesOf<NetworkingOptions> = {
  bindAddress: 'text',
  advertisedAddresses: 'texts',
  drainTimeoutMs: 'number',
  maxConnections: 'number',
  maxConnectionsWithoutCertificate: 'number',
  maxUnfinishedHandshakes: 'number',
  maxConcurrentCalls: 'number',
  maxMessageBytes: 'number',
  messageQueueBytes: 'number',
  messageWindowBytes: 'number',
  maxStreamedCallBytes: 'number',
  heartbeatIntervalMs: 'number',
  heartbeatTimeoutMs: 'number',
  watchedMembers: 'number',
  idleTimeoutMs: 'number',
  reconnectMaxDelayMs: 'number',
  connectTimeoutMs: 'number',
  holdTimeoutMs: 'number',
  refusedHoldTimeoutMs: 'number',
  tls: table<TlsOptions>(TLS),
};

const AUTHORIZATION: ShapesOf<AuthorizationOptions> = {
  auth: 'texts',
  adminSubjectNames: 'texts',
  observerSubjectNames: 'texts',
  policyFile: 'text',
  shadowPolicyFile: 'text',
  tokenFile: 'text',
  jwt: table<JwtOptions>({
    issuer: 'text',
    audiences: 'texts',
    jwksFile: 'text',
    clockSkewMs: 'number',
    rolesClaim: 'text',
    adminValues: 'texts',
    observerValues: 'texts',
  }),
  insecureAllowPlaintextTokens: 'boolean',
};

const MEMBERSHIP: ShapesOf<MembershipOptions> = {
  source: 'text or texts',
  membersFile: 'text',
  dns: table<DnsMembershipOptions>({
    names: 'texts',
    recordType: 'text',
    port: 'number',
    servers: 'texts',
    minTtlMs: 'number',
    maxTtlMs: 'number',
    timeoutMs: 'number',
  }),
  etcd: table<EtcdMembershipOptions>({
    ...CREDENTIALS,
    endpoints: 'texts',
    prefix: 'text',
    leaseTtlMs: 'number',
    leave: 'text',
    requestTimeoutMs: 'number',
    allowUnguarded: 'boolean',
  }),
};

/** Of a node. */
export const NODE_OPTIONS: ShapesOf<FabricNodeOptions> = {
  clusterName: 'text',
  nodeName: 'text',
  dataDir: 'text',
  adminSocket: 'text',
  labels: 'labels',
  zone: 'text',
  weight: 'number',
  logLevel: 'text',
  networking: table<NetworkingOptions>(NETWORKING),
  membership: table<MembershipOptions>(MEMBERSHIP),
  authorization: table<AuthorizationOptions>(AUTHORIZATION),
  audit: table<AuditOptions>({ file: 'text', maxDenialsPerSecond: 'number', maxDenialsPerSecondPerSource: 'number' }),
  observability: table<ObservabilityOptions>({ bindAddress: 'text' }),
};

/** Of credentials for a bare grpc-js server and client. */
export const CREDENTIALS_OPTIONS: ShapesOf<FabricCredentialsOptions> = {
  ...CREDENTIALS,
  allowedSubjectNames: 'texts',
  serverSubjectNames: 'texts',
  deniedCertificates: 'texts',
  minVersion: 'text',
  handshakeTimeoutMs: 'number',
  withdrawalGraceMs: 'number',
  refreshIntervalMs: 'number',
  logger: 'object',
  metrics: 'object',
};
