import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import { tcp } from '../../test/kit/fabric-pair.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { type ObservabilityServer, type Readiness, startObservabilityServer } from './observability-server.ts';

test('GET /healthz answers as long as the process does, ready or not', async t => {
  const { url } = await start(t, { ready: false, detail: 'starting' });
  const response = await fetch(`${url}/healthz`);
  assert.deepEqual([response.status, await response.text()], [200, 'ok\n']);
});

test('GET /readyz is 200 when the node is ready and 503 when it is not, and says its state', async t => {
  let readiness: Readiness = { ready: false, detail: 'starting' };
  const { url } = await start(t, () => readiness);
  const before = await fetch(`${url}/readyz`);
  assert.deepEqual([before.status, await before.text()], [503, 'starting\n']);
  readiness = { ready: true, detail: 'ready' };
  const after = await fetch(`${url}/readyz`);
  assert.deepEqual([after.status, await after.text()], [200, 'ready\n']);
});

test('GET /metrics gives the Prometheus text format, with its content type', async t => {
  const { url } = await start(t);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^# TYPE selvedge_tls_mode gauge$/m);
});

test('a query is ignored, HEAD has no body, and nothing may be stored on the way', async t => {
  const { url } = await start(t);
  const queried = await fetch(`${url}/healthz?verbose=1`);
  assert.equal(queried.status, 200);
  const head = await fetch(`${url}/healthz`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  assert.equal(head.headers.get('cache-control'), 'no-store');
});

test('every other path is 404, also those that look alike', async t => {
  const { url } = await start(t);
  for (const path of ['/', '/healthz/', '/HEALTHZ', '/metrics/x', '/debug/pprof', '//healthz', '/%68ealthz']) {
    assert.equal((await fetch(`${url}${path}`)).status, 404, path);
  }
});

test('every other method is 405', async t => {
  const { url } = await start(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    assert.equal((await fetch(`${url}/metrics`, { method })).status, 405, method);
  }
});

test('no answer names this node, an address or a peer', async t => {
  const { url } = await start(t);
  for (const path of ['/healthz', '/readyz', '/nothing']) {
    assert.doesNotMatch(await (await fetch(`${url}${path}`)).text(), /127\.0\.0\.1|node-/);
  }
});

test('an address that is in use is address_in_use', async t => {
  const { url } = await start(t);
  const { host } = new URL(url);
  await assert.rejects(
    startObservabilityServer({ address: tcp(host), metrics: createMetrics(), readiness: () => READY }),
    { code: 'address_in_use', facts: { address: host } },
  );
});

test('an address that is not of this machine is listen_failed', async () => {
  // RFC 5737: nobody has an address of this block.
  await assert.rejects(
    startObservabilityServer({ address: tcp('192.0.2.1:0'), metrics: createMetrics(), readiness: () => READY }),
    { code: 'listen_failed' },
  );
});

test('an IPv6 address has its brackets in the URL', async t => {
  const { url } = await start(t, READY, '[::1]:0');
  assert.match(url, /^http:\/\/\[::1\]:\d+$/);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('closing does not wait for scrapers that keep their connection, or say nothing', async t => {
  const server = await start(t);
  const { port } = new URL(server.url);
  const idle = net.connect(Number(port), '127.0.0.1');
  idle.on('error', () => {});
  await once(idle, 'connect');
  const closed = once(idle, 'close');
  await server.close();
  await closed;
});

const READY: Readiness = { ready: true, detail: 'ready' };

async function start(
  t: TestContext,
  readiness: Readiness | (() => Readiness) = READY,
  address = '127.0.0.1:0',
): Promise<ObservabilityServer> {
  const server = await startObservabilityServer({
    address: tcp(address),
    metrics: createMetrics(),
    readiness: typeof readiness === 'function' ? readiness : () => readiness,
  });
  t.after(() => server.close());
  return server;
}
