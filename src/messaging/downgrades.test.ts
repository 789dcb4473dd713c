import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Security } from '../rpc/security.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Downgrades } from './downgrades.ts';

const PLAINTEXT: Security = { kind: 'none', reason: 'plaintext_peer' };
const MUTUAL_TLS: Security = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };

test('a member that spoke TLS and has a stream without is told once, until it has one with it', async () => {
  const { downgrades, connect, said, exposed } = setUp();
  connect('node-2', PLAINTEXT);
  connect('node-2', PLAINTEXT);
  connect('node-3', PLAINTEXT);
  assert.deepEqual(said(), ['peer.downgraded node-2 allow']);
  assert.deepEqual([...downgrades.all.keys()], ['node-2']);
  assert.match(await exposed(), /^selvedge_downgraded_peers 1$/m);
  assert.match(await exposed(), /^selvedge_plaintext_peers 2$/m);
  connect('node-2', undefined);
  assert.equal(downgrades.all.size, 1, 'who went silent has not come back');
  connect('node-2', MUTUAL_TLS);
  assert.deepEqual(said().slice(1), ['peer.downgrade_ended node-2 mutual_tls']);
  connect('node-2', PLAINTEXT);
  const metrics = await exposed();
  assert.match(metrics, /^selvedge_peer_downgrades_total\{decision="allow"\} 2$/m);
  assert.doesNotMatch(metrics, /node-2/);
});

test('what was permitted is no step down any more', () => {
  const { downgrades, connect, spokeTls, said } = setUp();
  connect('node-2', PLAINTEXT);
  spokeTls.delete('node-2');
  connect('node-2', PLAINTEXT);
  assert.equal(downgrades.all.size, 0);
  assert.deepEqual(said().slice(1), ['peer.downgrade_ended node-2 permitted']);
});

test('a refused Hello counts where the member has no stream over mutual TLS', async () => {
  const { downgrades, connect, said, exposed } = setUp();
  connect('node-2', MUTUAL_TLS);
  downgrades.refused('node-2', PLAINTEXT);
  assert.deepEqual(said(), [], 'that was somebody else');
  connect('node-2', undefined);
  downgrades.refused('node-2', PLAINTEXT);
  downgrades.refused('node-2', PLAINTEXT);
  assert.deepEqual(said(), ['peer.downgraded node-2 deny']);
  assert.match(await exposed(), /^selvedge_downgraded_peers 1$/m);
});

function setUp() {
  const lines: { event: string; node: string; decision?: string; reason?: string }[] = [];
  const spokeTls = new Set(['node-2']);
  const streams = new Map<string, Security>();
  const metrics = createMetrics();
  const stream = (node: string) => {
    const security = streams.get(node);
    return security === undefined ? undefined : { node, security, direction: 'inbound' as const };
  };
  const downgrades = new Downgrades(
    {
      directory: { spokeTls: name => spokeTls.has(name), refusesPlaintext: () => false },
      logger: createLogger({ write: line => lines.push(JSON.parse(line)) }),
      metrics,
    },
    stream,
  );
  const connect = (node: string, security: Security | undefined) => {
    if (security === undefined) streams.delete(node);
    else streams.set(node, security);
    downgrades.review([...streams.keys()].flatMap(name => stream(name) ?? []));
  };
  const said = () => lines.map(({ event, node, decision, reason }) => `${event} ${node} ${decision ?? reason}`);
  return { downgrades, connect, spokeTls, said, exposed: () => metrics.expose() };
}
