import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

/** The contract's Metrics section: name, type, labels. */
const CONTRACT: readonly [string, 'gauge' | 'counter' | 'histogram', readonly string[]][] = [
  ['selvedge_tls_certificate_expiration_timestamp_seconds', 'gauge', ['usage']],
  ['selvedge_tls_reload_total', 'counter', ['result']],
  ['selvedge_tls_reload_failing', 'gauge', ['usage']],
  ['selvedge_tls_reload_success_timestamp_seconds', 'gauge', []],
  ['selvedge_tls_generation', 'gauge', []],
  ['selvedge_tls_mode', 'gauge', ['mode']],
  ['selvedge_connections', 'gauge', ['direction', 'security']],
  ['selvedge_connections_refused_total', 'counter', ['reason']],
  ['selvedge_connections_closed_total', 'counter', ['reason']],
  ['selvedge_handshake_duration_seconds', 'histogram', []],
  ['selvedge_authorization_decisions_total', 'counter', ['service', 'decision']],
  ['selvedge_plaintext_peers', 'gauge', []],
  // gRFC A66, as OpenTelemetry's Prometheus exporter writes the names.
  ['grpc_server_call_started_total', 'counter', ['grpc_method']],
  ['grpc_server_call_duration_seconds', 'histogram', ['grpc_method', 'grpc_status']],
  ['grpc_client_call_duration_seconds', 'histogram', ['grpc_method', 'grpc_status']],
  // Beyond the contract.
  ['selvedge_members', 'gauge', ['liveness']],
  ['selvedge_messages_sent_total', 'counter', ['priority', 'result']],
  ['selvedge_messages_received_total', 'counter', ['priority', 'result']],
  ['selvedge_plaintext_calls_total', 'counter', []],
  ['selvedge_optional_since_timestamp_seconds', 'gauge', []],
  ['selvedge_plaintext_deadline_timestamp_seconds', 'gauge', []],
  ['selvedge_strict_obstacles', 'gauge', []],
  ['selvedge_peer_downgrades_total', 'counter', ['decision']],
  ['selvedge_downgraded_peers', 'gauge', []],
  ['selvedge_authorization_policy_reload_total', 'counter', ['file', 'result']],
  ['selvedge_authorization_shadow_total', 'counter', ['service', 'decision']],
  ['selvedge_audit_records_total', 'counter', ['kind', 'decision']],
  ['selvedge_audit_dropped_total', 'counter', []],
  ['selvedge_audit_failing', 'gauge', []],
  ['selvedge_authentications_total', 'counter', ['result']],
  ['selvedge_authentication_reload_total', 'counter', ['file', 'result']],
  ['selvedge_tls_canary_total', 'counter', ['result']],
  ['selvedge_config_reload_total', 'counter', ['result']],
  ['selvedge_membership_reload_total', 'counter', ['result']],
  ['selvedge_membership_source_current', 'gauge', ['source']],
  ['selvedge_membership_members', 'gauge', []],
  ['selvedge_tls_expiring_certificates', 'gauge', ['usage', 'level']],
];

test('every metric of the contract is exposed from the start, under its name and type', async () => {
  const exposed = await createMetrics().expose();
  for (const [name, type] of CONTRACT) assert.match(exposed, new RegExp(`^# TYPE ${name} ${type}$`, 'm'));
});

test('nothing is exposed that is not listed here', async () => {
  const exposed = await createMetrics().expose();
  const names = [...exposed.matchAll(/^# TYPE (\S+)/gm)].map(match => match[1]);
  assert.deepEqual(names.toSorted(), CONTRACT.map(([name]) => name).toSorted());
});

test('each metric takes the labels of the contract', async () => {
  const metrics = createMetrics();
  metrics.certificateExpiration.set({ usage: 'server' }, 1);
  metrics.expiringCertificates.set({ usage: 'peer', level: 'notice' }, 1);
  metrics.tlsReloads.inc({ result: 'ok' });
  metrics.configReloads.inc({ result: 'ok' });
  metrics.membershipReloads.inc({ result: 'ok' });
  metrics.membershipCurrent.set({ source: 'file' }, 1);
  metrics.membershipMembers.set(1);
  metrics.tlsReloadFailing.set({ usage: 'server' }, 1);
  metrics.tlsReloadSuccess.set(1);
  metrics.tlsCanary.inc({ result: 'admitted' });
  metrics.tlsGeneration.set(1);
  metrics.tlsMode.set({ mode: 'strict' }, 1);
  metrics.connections.inc({ direction: 'inbound', security: 'mutual_tls' });
  metrics.connectionsRefused.inc({ reason: 'unknown_ca' });
  metrics.connectionsClosed.inc({ reason: 'peer_closed' });
  metrics.handshakeDuration.observe(0.01);
  metrics.policyReloads.inc({ file: 'policy', result: 'ok' });
  metrics.shadowDivergences.inc({ service: 'x', decision: 'would_deny' });
  metrics.auditRecords.inc({ kind: 'call', decision: 'deny' });
  metrics.auditDropped.inc();
  metrics.auditFailing.set(1);
  metrics.authentications.inc({ result: 'ok' });
  metrics.authenticationReloads.inc({ file: 'tokens', result: 'ok' });
  metrics.members.set({ liveness: 'alive' }, 1);
  metrics.messages.sent(1, 'ok');
  metrics.messages.received(1, 'ok');
  metrics.plaintextPeers.set(1);
  metrics.plaintextCalls.inc();
  metrics.optionalSince.set(1);
  metrics.plaintextDeadline.set(1);
  metrics.strictObstacles.set(1);
  metrics.peerDowngrades.inc({ decision: 'deny' });
  metrics.downgradedPeers.set(1);
  const served = metrics.serverCalls.of('/x/y');
  served.started += 1;
  served.allowed += 1;
  served.ended('OK', 10);
  metrics.clientCalls.of('/x/y').ended('OK', 10);
  const exposed = await metrics.expose();
  for (const [name, type, labels] of CONTRACT) {
    const sample = type === 'histogram' ? `${name}_count` : name;
    const line = exposed.split('\n').find(each => new RegExp(`^${sample}[ {]`).test(each)) ?? '';
    const shown = [...line.matchAll(/([a-z_]+)="/g)].map(match => match[1]);
    assert.deepEqual(shown.toSorted(), labels.toSorted(), name);
    assert.match(line, / 1$/, name);
  }
});

test('a label that is not of the contract is refused', () => {
  const metrics = createMetrics();
  assert.throws(() => Reflect.apply(metrics.connectionsRefused.inc, metrics.connectionsRefused, [{ peer: 'x' }]));
});

test('the metrics of the process come only when they are asked for', async () => {
  assert.doesNotMatch(await createMetrics().expose(), /^# TYPE process_/m);
  assert.match(await createMetrics({ process: true }).expose(), /^# TYPE process_cpu_user_seconds_total counter$/m);
});

test('two sets of metrics in one process know nothing of each other', async () => {
  const [one, two] = [createMetrics(), createMetrics()];
  one.plaintextPeers.set(7);
  assert.match(await two.expose(), /^selvedge_plaintext_peers 0$/m);
});

test('the content type is that of the Prometheus text format', () => {
  assert.match(createMetrics().contentType, /^text\/plain; version=0\.0\.4/);
});
