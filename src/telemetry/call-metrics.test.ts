import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test('durations are exposed as a histogram, each bucket with all that is below it', async () => {
  const metrics = createMetrics();
  const calls = metrics.serverCalls.of('/pkg.Echo/Say');
  for (const milliseconds of [0.5, 1, 1.5, 400, 60_000]) calls.ended('OK', milliseconds);
  calls.ended('UNAVAILABLE', 2_000);
  const lines = linesOf(await metrics.expose(), 'grpc_server_call_duration_seconds');
  const of = (status: string) => lines.filter(line => line.includes(`grpc_status="${status}"`));
  assert.equal(of('OK').length, 16, '13 bounds, +Inf, sum and count');
  for (const [le, count] of Object.entries({ 0.001: 2, 0.0025: 3, 0.25: 3, 0.5: 4, 10: 4, '+Inf': 5 }))
    assert.ok(
      lines.includes(
        `grpc_server_call_duration_seconds_bucket{le="${le}",grpc_method="pkg.Echo/Say",grpc_status="OK"} ${count}`,
      ),
      le,
    );
  assert.match(of('OK').at(-2) ?? '', /_sum\{.*\} 60\.403/);
  assert.match(of('OK').at(-1) ?? '', /_count\{.*\} 5$/);
  assert.match(of('UNAVAILABLE').at(-1) ?? '', /_count\{.*\} 1$/);
});

test('decisions are those of all methods of a service, and reading them changes nothing', async () => {
  const metrics = createMetrics();
  metrics.serverCalls.of('/pkg.Echo/Say').allowed += 2;
  metrics.serverCalls.of('/pkg.Echo/Shout').allowed += 1;
  metrics.serverCalls.of('/pkg.Echo/Shout').denied += 1;
  metrics.serverCalls.of('/pkg.Echo/Shout').started += 2;
  for (const exposed of [await metrics.expose(), await metrics.expose()]) {
    assert.deepEqual(linesOf(exposed, 'selvedge_authorization_decisions_total'), [
      'selvedge_authorization_decisions_total{service="pkg.Echo",decision="allow"} 3',
      'selvedge_authorization_decisions_total{service="pkg.Echo",decision="deny"} 1',
    ]);
    assert.match(exposed, /grpc_server_call_started_total\{grpc_method="pkg\.Echo\/Shout"\} 2/);
  }
});

test('calls of the two sides are counted apart', async () => {
  const metrics = createMetrics();
  metrics.clientCalls.of('/pkg.Echo/Say').ended('OK', 1);
  const exposed = await metrics.expose();
  assert.equal(linesOf(exposed, 'grpc_server_call_duration_seconds').length, 0);
  assert.ok(linesOf(exposed, 'grpc_client_call_duration_seconds').length > 0);
});

function linesOf(exposed: string, metric: string): readonly string[] {
  return exposed.split('\n').filter(line => line.startsWith(metric));
}
