import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createSslClient } from '../kit/bare-grpc.ts';
import { ReflectionClient } from '../kit/reflection-client.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, refusal, TestCluster } from './test-cluster.ts';

/** Those of the contract, those of gRPC, and some of the process. */
const METRICS = [
  'selvedge_tls_certificate_expiration_timestamp_seconds',
  'selvedge_tls_reload_total',
  'selvedge_tls_reload_success_timestamp_seconds',
  'selvedge_tls_generation',
  'selvedge_tls_mode',
  'selvedge_connections',
  'selvedge_connections_refused_total',
  'selvedge_connections_closed_total',
  'selvedge_handshake_duration_seconds',
  'selvedge_authorization_decisions_total',
  'selvedge_plaintext_peers',
  'grpc_server_call_started_total',
  'grpc_server_call_duration_seconds',
  'grpc_client_call_duration_seconds',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_seconds',
] as const;

test('what probes and scrapers see of a daemon', async t => {
  const cluster = await TestCluster.make(t);
  const daemon = await cluster.start('node-1', {
    networking: { 'max-connections': 2 },
    top: { observability: { 'bind-address': '127.0.0.1:0' } },
  });
  const get = (path: string, init?: RequestInit) => fetch(`${daemon.ready.observability}${path}`, init);
  const metrics = async () => (await get('/metrics')).text();
  const first = await peerOf(t, cluster, fabricPort(daemon));

  await t.test('it is alive and ready, and shows nothing else', async () => {
    const answers = await Promise.all(
      ['/healthz', '/readyz', '/', '/metrics/../status'].map(async path => {
        const response = await get(path);
        return [response.status, (await response.text()).trim()];
      }),
    );
    assert.deepEqual(answers.slice(0, 2), [
      [200, 'ok'],
      [200, 'ready'],
    ]);
    assert.deepEqual(
      answers.map(([status]) => status),
      [200, 200, 404, 404],
    );
    assert.equal((await get('/healthz', { method: 'POST' })).status, 405);
  });

  await t.test('every metric of the contract is there', async () => {
    const response = await get('/metrics');
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const exposed = await response.text();
    for (const name of METRICS) assert.match(exposed, new RegExp(`^# TYPE ${name} `, 'm'));
  });

  await t.test('metrics say what happened', async () => {
    await callUnary(first, nodeControl, 'GetStatus', {});
    const { notAfter } = (await cluster.store.list()).find(({ name }) => name === 'node-1') ?? {};
    const exposed = await metrics();
    for (const line of [
      `selvedge_tls_certificate_expiration_timestamp_seconds{usage="server"} ${(notAfter?.getTime() ?? 0) / 1_000}`,
      'selvedge_tls_generation 1',
      'selvedge_tls_mode{mode="strict"} 1',
      'selvedge_tls_mode{mode="plain"} 0',
      'selvedge_connections{direction="inbound",security="mutual_tls"} 1',
      'selvedge_plaintext_peers 0',
      'selvedge_handshake_duration_seconds_count 1',
      'selvedge_authorization_decisions_total{service="selvedge.control.v1.NodeControl",decision="allow"} 1',
      'grpc_server_call_started_total{grpc_method="selvedge.control.v1.NodeControl/GetStatus"} 1',
    ])
      assert.ok(exposed.split('\n').includes(line), `${line}\n${exposed}`);
  });

  await t.test('no label holds what a peer made up', async () => {
    const { definition } = nodeControl;
    const { GetStatus } = definition;
    if (GetStatus === undefined) throw new TypeError('unreachable');
    const invented = { ...nodeControl, definition: { GetStatus: { ...GetStatus, path: '/made.up.Service/Invented' } } };
    await assert.rejects(callUnary(first, invented, 'GetStatus', {}), { code: grpc.status.UNIMPLEMENTED });
    assert.doesNotMatch(await metrics(), /made\.up|Invented/);
  });

  await t.test('the connection over the cap is refused and counted', async () => {
    const second = await peerOf(t, cluster, fabricPort(daemon));
    await callUnary(second, nodeControl, 'GetStatus', {});
    const third = await peerOf(t, cluster, fabricPort(daemon));
    await assert.rejects(callUnary(third, nodeControl, 'GetStatus', {}), { code: grpc.status.UNAVAILABLE });
    await refusal(daemon, 'too_many_connections');
    assert.match(await metrics(), /^selvedge_connections_refused_total\{reason="too_many_connections"\} 1$/m);
    // The admin socket is no connection of the fabric.
    await askLocally(daemon, 'GetStatus');
    third.close();
    second.close();
    await until('it is gone', async () =>
      (await metrics()).includes('selvedge_connections{direction="inbound",security="mutual_tls"} 1\n'),
    );
    assert.match(await metrics(), /^selvedge_connections_closed_total\{reason="peer_closed"\} 1$/m);
  });

  await t.test('while it drains it is alive and not ready', async () => {
    using running = new ReflectionClient(first);
    await running.ask({ listServices: '*' });
    daemon.signal('SIGTERM');
    await daemon.waitFor('node.draining');
    const response = await get('/readyz');
    assert.deepEqual([response.status, (await response.text()).trim()], [503, 'draining']);
    assert.equal((await get('/healthz')).status, 200);
    assert.equal(await running.end(), grpc.status.OK);
    assert.equal(await daemon.exited, 0);
  });
});

function peerOf(t: TestContext, { store }: TestCluster, port: number): Promise<grpc.Client> {
  const request = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'] };
  return createSslClient(t, port, store.authority.anchorsPem, store.authority, request);
}
