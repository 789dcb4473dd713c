import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import { FabricChannelCredentials } from '../../src/connector/fabric-channel-credentials.ts';
import { type CredentialsStore, openCredentialsStore } from '../../src/credentials/credentials-store.ts';
import { openWorkloadApiSource } from '../../src/credentials/workload-api-source.ts';
import { messageOf } from '../../src/errors/selvedge-error.ts';
import { parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import { FabricServerCredentials } from '../../src/listener/fabric-server-credentials.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { bareClient, seenBy, startBareServer } from '../kit/bare-grpc.ts';
import { echo } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';
import { createTrustDomain } from '../kit/workload-api.ts';
import { DEADLINE_MS, findSpire, type SpireAgent, type SpireServer, startSpireServer, TRUST_DOMAIN } from './spire.ts';

// Against SPIRE itself: a server and two agents, as two machines would have them, and a peer at each.
const MODE = { minVersion: 'TLSv1.3', handshakeTimeoutMs: 20_000, drainTimeoutMs: 20_000 } as const;
/** An agent renews an SVID at half of its life. */
const TTL_SECONDS = 40;

let bin = '';
let whyNot = '';
let directory = '';
let server: SpireServer;
const agents: SpireAgent[] = [];

before(
  async () => {
    directory = await mkdtemp(join(tmpdir(), 'selvedge-spire-'));
    try {
      bin = await findSpire();
    } catch (error) {
      whyNot = `needs SPIRE, which is not in SPIRE_BIN_DIR and could not be built with Go: ${messageOf(error)}`;
      return;
    }
    const [port = 0] = await freePorts(1);
    server = await startSpireServer(bin, directory, port);
    for (const name of ['one', 'two']) agents.push(await server.startAgent(name));
  },
  { timeout: 3_600_000 },
);

after(async () => {
  for (const agent of agents) await agent.stop();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const specOf = ({ socketPath }: SpireAgent) => ({ kind: 'spiffe', socketPath, caFiles: [], crlFiles: [] }) as const;

/** Opens a store once the agent has the identity, which takes it up to 5 s and more. */
async function openStore(t: TestContext, agent: SpireAgent): Promise<CredentialsStore> {
  let store: CredentialsStore | undefined;
  const open = async (): Promise<boolean> => {
    const options = { spec: specOf(agent), refreshIntervalMs: 3_600_000, watch: true, logger: silentLogger };
    store = await openCredentialsStore(options).catch(() => undefined);
    return store !== undefined;
  };
  await until('the agent gives credentials', open, DEADLINE_MS);
  assert.ok(store !== undefined);
  const opened = store;
  t.after(() => opened.close());
  return opened;
}

test('two peers of SPIRE talk; SVIDs are renewed under them, and an agent restarts, without a failed call', async t => {
  const [one, two] = agents;
  if (one === undefined || two === undefined) return t.skip(whyNot);

  const early = await openWorkloadApiSource(
    specOf(one),
    { watch: true, onChange: () => {}, logger: silentLogger },
    { startTimeoutMs: 2_000, retry: {} },
  );
  const reading = await early.read();
  await early.close();
  assert.ok(!reading.ok);
  assert.match(reading.problems[0]?.problem ?? '', /no identity registered for this process \(PERMISSION_DENIED/);

  for (const [agent, path] of [
    ['one', '/fabric/node-1'],
    ['two', '/fabric/node-2'],
  ] as const) {
    const id = await server.createEntry({ agent, path, ttlSeconds: TTL_SECONDS });
    t.after(() => server.deleteEntry(id));
  }
  const [serverStore, clientStore] = [await openStore(t, one), await openStore(t, two)];
  const { client } = await connect(t, serverStore, clientStore, ['uri:spiffe://selvedge.test/fabric/*']);

  const seen = await seenBy(client);
  assert.deepEqual(seen.uris, [`spiffe://${TRUST_DOMAIN}/fabric/node-2`]);
  assert.equal(seen.security, 'mutual_tls');

  const load = runCalls(client);
  const isAt = (generation: number) => () =>
    [serverStore, clientStore].every(({ snapshot }) => snapshot.value.generation >= generation);
  await until('both sides were renewed twice', isAt(3), DEADLINE_MS);
  await two.stop();
  const { generation } = clientStore.snapshot.value;
  await until(
    'the other side is renewed while one agent is away',
    () => serverStore.snapshot.value.generation > 3,
    DEADLINE_MS,
  );
  await two.start();
  const isRenewed = () => clientStore.snapshot.value.generation > generation;
  await until('the agent that came back is found', isRenewed, DEADLINE_MS);
  const { calls, failures } = await load.stop();
  t.diagnostic(
    `${calls} calls; generations ${serverStore.snapshot.value.generation} and ${clientStore.snapshot.value.generation}`,
  );
  assert.deepEqual(failures, []);
  assert.ok(calls > 100);
});

test('a trust domain that SPIRE federates vouches for its own peers, and for none of ours', async t => {
  const [one] = agents;
  if (one === undefined) return t.skip(whyNot);
  const partner = await createTrustDomain('partner.test');
  await server.federate(partner.name, partner.authority.anchorsPem);
  const federatesWith = [partner.name];
  const entry = { agent: 'one', path: '/fabric/node-3', ttlSeconds: 3_600, federatesWith };
  const id = await server.createEntry(entry);
  t.after(() => server.deleteEntry(id));
  const store = await openStore(t, one);
  const trustDomains = () => [...new Set(store.snapshot.value.anchors.map(({ trustDomain }) => trustDomain))].sort();
  await until('the bundle is there', () => trustDomains().length === 2, DEADLINE_MS);
  assert.deepEqual(trustDomains(), [partner.name, TRUST_DOMAIN]);
});

test('an identity that SPIRE takes back is a problem, and the last set stays', async t => {
  const [, two] = agents;
  if (two === undefined) return t.skip(whyNot);
  const id = await server.createEntry({ agent: 'two', path: '/fabric/node-4', ttlSeconds: 3_600 });
  const store = await openStore(t, two);
  const holds = () => store.snapshot.value.own.identity.spiffeId === `spiffe://${TRUST_DOMAIN}/fabric/node-4`;
  await until('the identity is there', holds, DEADLINE_MS);
  await server.deleteEntry(id);
  await until('the refusal is seen', () => store.state.value.problem !== undefined, DEADLINE_MS);
  assert.match(store.state.value.problem?.problem ?? '', /no identity registered for this process/);
  assert.ok(holds());
});

interface Connected {
  readonly client: ReturnType<typeof bareClient>;
}

/** A server and a client on loopback that show and trust what their stores hold, expecting peers of these names. */
async function connect(
  t: TestContext,
  serverStore: CredentialsStore,
  clientStore: CredentialsStore,
  allowed: readonly string[],
): Promise<Connected> {
  const patterns = parsePatterns(allowed);
  const shared = { logger: silentLogger, metrics: createMetrics() };
  const serverCredentials = new FabricServerCredentials({
    trust: serverStore.snapshot,
    ...MODE,
    admit: () => ({ admitted: true, roles: new Set(['peer']) }),
    ...shared,
  });
  t.after(() => serverCredentials.close());
  const { port } = await startBareServer(t, serverCredentials);
  const channel = new FabricChannelCredentials({
    security: {
      kind: 'mutual_tls',
      trust: clientStore.snapshot,
      minVersion: MODE.minVersion,
      expectation: { kind: 'names', patterns },
    },
    timeoutMs: MODE.handshakeTimeoutMs,
    listener: { connected: () => {}, failed: () => {} },
  });
  return { client: bareClient(t, port, channel) };
}

/** Calls one after another until it is stopped. */
function runCalls(client: ReturnType<typeof bareClient>): {
  stop(): Promise<{ calls: number; failures: readonly string[] }>;
} {
  const failures: string[] = [];
  let calls = 0;
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await echo(client, `call ${calls}`).catch(error => failures.push(messageOf(error)));
      calls += 1;
      await wait(20);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await running;
      return { calls, failures };
    },
  };
}
