import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { CallMetrics } from './call-metrics.ts';
import { MessageMetrics } from './message-metrics.ts';

/**
 * Every metric of the product, in one registry of its own. Invariant: no label holds a text a peer supplied; all are
 * from closed lists (reasons, modes, methods that are registered and TLS profiles that are configured here).
 */
export interface Metrics {
  readonly certificateExpiration: Gauge<'usage'>;
  readonly expiringCertificates: Gauge<'usage' | 'level'>;
  readonly tlsReloads: Counter<'result'>;
  readonly tlsReloadFailing: Gauge<'usage'>;
  readonly tlsReloadSuccess: Gauge;
  readonly tlsCanary: Counter<'result'>;
  readonly tlsGeneration: Gauge;
  readonly tlsMode: Gauge<'mode'>;
  readonly configReloads: Counter<'result'>;
  readonly membershipReloads: Counter<'result'>;
  readonly membershipCurrent: Gauge<'source'>;
  readonly membershipMembers: Gauge;
  readonly connections: Gauge<'direction' | 'security'>;
  readonly connectionsRefused: Counter<'reason'>;
  readonly connectionsClosed: Counter<'reason'>;
  readonly handshakeDuration: Histogram;
  readonly policyReloads: Counter<'file' | 'result'>;
  readonly shadowDivergences: Counter<'service' | 'decision'>;
  readonly auditRecords: Counter<'kind' | 'decision'>;
  readonly auditDropped: Counter;
  readonly auditFailing: Gauge;
  readonly authentications: Counter<'result'>;
  readonly authenticationReloads: Counter<'file' | 'result'>;
  readonly members: Gauge<'liveness'>;
  readonly plaintextPeers: Gauge;
  readonly plaintextCalls: Counter;
  readonly optionalSince: Gauge;
  readonly plaintextDeadline: Gauge;
  readonly strictObstacles: Gauge;
  readonly peerDowngrades: Counter<'decision'>;
  readonly downgradedPeers: Gauge;
  /** Calls that reached this server, and what was decided on them. */
  readonly serverCalls: CallMetrics;
  /** Calls of the fabric connector. */
  readonly clientCalls: CallMetrics;
  readonly messages: MessageMetrics;
  /** The Prometheus text format. */
  expose(): Promise<string>;
  readonly contentType: string;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface MetricsOptions {
  /** Whether to add the process's own metrics (CPU, memory, event loop). Default false: they are the daemon's to add. */
  readonly process?: boolean;
}

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.process === true) collectDefaultMetrics({ register: registry });
  const [serverCalls, clientCalls] = [new CallMetrics(), new CallMetrics()];
  const messages = new MessageMetrics();
  messages.expose(registry);
  serverCalls.exposeDecisions(registry, 'selvedge_authorization_decisions_total', 'Decisions on calls, by service.');
  serverCalls.exposeStarted(
    registry,
    'grpc_server_call_started_total',
    'Calls that reached a handler of this server (gRFC A66 grpc.server.call.started).',
  );
  serverCalls.exposeDurations(
    registry,
    'grpc_server_call_duration_seconds',
    'Time from the first to the last byte of a call (gRFC A66 grpc.server.call.duration).',
  );
  clientCalls.exposeDurations(
    registry,
    'grpc_client_call_duration_seconds',
    'Time of a call of the fabric connector, waiting included (gRFC A66 grpc.client.call.duration).',
  );
  return {
    certificateExpiration: new Gauge({
      name: 'selvedge_tls_certificate_expiration_timestamp_seconds',
      help: 'When the certificate of each usage expires, in Unix seconds; of ca and peer the one that does so first.',
      labelNames: ['usage'],
      registers,
    }),
    expiringCertificates: new Gauge({
      name: 'selvedge_tls_expiring_certificates',
      help: 'Certificates in use or seen on open connections that end before long, by how soon.',
      labelNames: ['usage', 'level'],
      registers,
    }),
    tlsReloads: new Counter({
      name: 'selvedge_tls_reload_total',
      help: 'Times the credentials were read again, by result; while they cannot be used, each retry is one.',
      labelNames: ['result'],
      registers,
    }),
    tlsReloadFailing: new Gauge({
      name: 'selvedge_tls_reload_failing',
      help: '1 while the credentials of a usage cannot be used as they are and the last good ones stay, otherwise 0.',
      labelNames: ['usage'],
      registers,
    }),
    tlsReloadSuccess: new Gauge({
      name: 'selvedge_tls_reload_success_timestamp_seconds',
      help: 'When credentials were last read without a problem, in Unix seconds.',
      registers,
    }),
    tlsCanary: new Counter({
      name: 'selvedge_tls_canary_total',
      help: 'Times a new certificate of this node was tried before its use, by result.',
      labelNames: ['result'],
      registers,
    }),
    tlsGeneration: new Gauge({
      name: 'selvedge_tls_generation',
      help: 'Generation of the trust snapshot in use.',
      registers,
    }),
    tlsMode: new Gauge({
      name: 'selvedge_tls_mode',
      help: '1 for the mode of the fabric listener.',
      labelNames: ['mode'],
      registers,
    }),
    configReloads: new Counter({
      name: 'selvedge_config_reload_total',
      help: 'Times a changed configuration was taken or rejected.',
      labelNames: ['result'],
      registers,
    }),
    membershipReloads: new Counter({
      name: 'selvedge_membership_reload_total',
      help: 'Times a changed list of members was taken or rejected.',
      labelNames: ['result'],
      registers,
    }),
    membershipCurrent: new Gauge({
      name: 'selvedge_membership_source_current',
      help: '1: what the membership source says is heard. 0: it is not, and the last known members stay.',
      labelNames: ['source'],
      registers,
    }),
    membershipMembers: new Gauge({
      name: 'selvedge_membership_members',
      help: 'Members that the membership sources list, this node included where they do.',
      registers,
    }),
    connections: new Gauge({
      name: 'selvedge_connections',
      help: 'Open connections of the fabric.',
      labelNames: ['direction', 'security'],
      registers,
    }),
    connectionsRefused: new Counter({
      name: 'selvedge_connections_refused_total',
      help: 'Connections, Hellos and dials that were refused, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    connectionsClosed: new Counter({
      name: 'selvedge_connections_closed_total',
      help: 'Connections that ended after they were admitted, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    handshakeDuration: new Histogram({
      name: 'selvedge_handshake_duration_seconds',
      help: 'Time from the first byte to the admission of a TLS connection.',
      buckets: SECONDS,
      registers,
    }),
    policyReloads: new Counter({
      name: 'selvedge_authorization_policy_reload_total',
      help: 'Times a changed policy file was taken or rejected.',
      labelNames: ['file', 'result'],
      registers,
    }),
    shadowDivergences: new Counter({
      name: 'selvedge_authorization_shadow_total',
      help: 'Calls that the shadow policy would have decided otherwise.',
      labelNames: ['service', 'decision'],
      registers,
    }),
    auditRecords: new Counter({
      name: 'selvedge_audit_records_total',
      help: 'Records of the audit trail, in its file or in the log.',
      labelNames: ['kind', 'decision'],
      registers,
    }),
    auditDropped: new Counter({
      name: 'selvedge_audit_dropped_total',
      help: 'Records of the audit trail that were left out: beyond the limits, or without room.',
      registers,
    }),
    auditFailing: new Gauge({
      name: 'selvedge_audit_failing',
      help: '1 while audit records go to the log because their own place cannot be written, otherwise 0.',
      registers,
    }),
    authentications: new Counter({
      name: 'selvedge_authentications_total',
      help: 'Calls that were authenticated by a bearer token, or failed to be, by result.',
      labelNames: ['result'],
      registers,
    }),
    authenticationReloads: new Counter({
      name: 'selvedge_authentication_reload_total',
      help: 'Times a changed token file or JWK set was taken or rejected.',
      labelNames: ['file', 'result'],
      registers,
    }),
    members: new Gauge({
      name: 'selvedge_members',
      help: 'Other members of the cluster, by whether they live as far as this node heard.',
      labelNames: ['liveness'],
      registers,
    }),
    plaintextPeers: new Gauge({
      name: 'selvedge_plaintext_peers',
      help: 'Members whose stream to this node is not mutual TLS.',
      registers,
    }),
    plaintextCalls: new Counter({
      name: 'selvedge_plaintext_calls_total',
      help: 'Calls over plaintext connections of the fabric.',
      registers,
    }),
    optionalSince: new Gauge({
      name: 'selvedge_optional_since_timestamp_seconds',
      help: 'Since when the configuration says optional, in Unix seconds; 0 while it does not.',
      registers,
    }),
    plaintextDeadline: new Gauge({
      name: 'selvedge_plaintext_deadline_timestamp_seconds',
      help: 'From when on the node refuses plaintext, its readiness permitting, in Unix seconds; 0 without a deadline.',
      registers,
    }),
    strictObstacles: new Gauge({
      name: 'selvedge_strict_obstacles',
      help: 'In the mode optional: what stands in the way of strict, as preflight tells it; 0 in other modes.',
      registers,
    }),
    peerDowngrades: new Counter({
      name: 'selvedge_peer_downgrades_total',
      help: 'Times a member that spoke mutual TLS came back without, by whether it was let in (allow or deny).',
      labelNames: ['decision'],
      registers,
    }),
    downgradedPeers: new Gauge({
      name: 'selvedge_downgraded_peers',
      help: 'Members that spoke mutual TLS and came back without, as long as they have not come with it again.',
      registers,
    }),
    serverCalls,
    clientCalls,
    messages,
    expose: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
