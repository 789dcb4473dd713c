import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import { statsOf, sumOfStats } from '../../scripts/kit/load-stats.ts';
import { FabricChannelCredentials } from '../../src/connector/fabric-channel-credentials.ts';
import { type CredentialsStore, openCredentialsStore } from '../../src/credentials/credentials-store.ts';
import { openWorkloadApiSource } from '../../src/credentials/workload-api-source.ts';
import { messageOf } from '../../src/errors/selvedge-error.ts';
import { parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import { FabricServerCredentials } from '../../src/listener/fabric-server-credentials.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { peerOnce, TestCluster } from '../cluster/test-cluster.ts';
import { bareClient, seenBy, startBareServer } from '../kit/bare-grpc.ts';
import { until } from '../kit/until.ts';
import { answerOf, createTrustDomain, derOf, startWorkloadApi } from '../kit/workload-api.ts';
import {
  DEADLINE_MS,
  type EntryRequest,
  findSpire,
  type SpireAgent,
  type SpireServer,
  startSpireServer,
  TRUST_DOMAIN,
} from './spire.ts';

// Against SPIRE itself: a server and two agents, as two machines would have them, and a peer at each.
const MODE = { minVersion: 'TLSv1.3', handshakeTimeoutMs: 20_000, withdrawalGraceMs: 5_000 } as const;
const LOAD_NODE = fileURLToPath(new URL('../../scripts/kit/load-node.ts', import.meta.url));
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

const specOf = ({ socketPath }: { socketPath: string }) =>
  ({ kind: 'spiffe', socketPath, caFiles: [], crlFiles: [] }) as const;

interface Registered {
  readonly entryId: string;
  readonly store: CredentialsStore;
}

/** Registers our user at the agent, until the end of the test, and opens a store that holds the new identity. */
async function register(t: TestContext, agent: SpireAgent, request: Omit<EntryRequest, 'agent'>): Promise<Registered> {
  const entryId = await server.createEntry({ agent: agent.name, ...request });
  t.after(() => server.deleteEntry(entryId));
  const store = await openStore(t, agent);
  const spiffeId = `spiffe://${TRUST_DOMAIN}${request.path}`;
  // The agent may not have heard yet that the entry of the test before is gone.
  const isHeld = () => store.snapshot.value.own.identity.spiffeId === spiffeId;
  await until(`the SVID of ${request.path}`, isHeld, DEADLINE_MS);
  return { entryId, store };
}

/** Opens a store as soon as the agent gives anything, which may take it the 5 s after which it asks its server again. */
async function openStore(t: TestContext, agent: { readonly socketPath: string }): Promise<CredentialsStore> {
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

test('without an entry of ours the agent refuses, and the problem says so', async t => {
  const [one] = agents;
  if (one === undefined) return t.skip(whyNot);
  const parts = { watch: true, onChange: () => {}, logger: silentLogger };
  const source = await openWorkloadApiSource(specOf(one), parts, { startTimeoutMs: 2_000, retry: {} });
  t.after(() => source.close());
  const reading = await source.read();
  assert.ok(!reading.ok);
  assert.match(reading.problems[0]?.problem ?? '', /no identity registered for this process \(PERMISSION_DENIED/);
});

test('two daemons with source = "spiffe" call each other; SVIDs are renewed and an agent restarts without a failed call', async t => {
  const [one, two] = agents;
  if (one === undefined || two === undefined) return t.skip(whyNot);
  const cluster = await TestCluster.make(t);
  const ports = await freePorts(2);
  const members = ports.map((port, index): [string, string] => [`node-${index + 1}`, `127.0.0.1:${port}`]);
  const startNode = async (agent: SpireAgent, name: string, other: string, port = 0): Promise<Daemon> => {
    await register(t, agent, { path: `/fabric/${name}`, ttlSeconds: TTL_SECONDS });
    const networking = { 'bind-address': `127.0.0.1:${port}` };
    const tls = {
      source: 'spiffe',
      'workload-api-socket': agent.socketPath,
      'cert-file': undefined,
      'key-file': undefined,
      'ca-file': undefined,
      'allowed-subject-names': [`uri:spiffe://${TRUST_DOMAIN}/fabric/*`],
      'node-identity': `uri:spiffe://${TRUST_DOMAIN}/fabric/{node-name}`,
    };
    const config = await cluster.writeConfig(name, { networking, tls, members });
    const daemon = cluster.spawn(name, { program: [LOAD_NODE, config, other] });
    await daemon.waitFor('node.ready');
    return daemon;
  };
  const first = await startNode(one, 'node-1', 'node-2', ports[0]);
  const second = await startNode(two, 'node-2', 'node-1', ports[1]);
  const nodes = [first, second];
  const { security } = await peerOnce(second, 'node-1', peer => peer.state === 'connected');
  assert.equal(security, 'mutual_tls');

  const renewals = ({ lines }: Daemon) => lines.filter(({ event }) => event === 'tls.reloaded').length;
  await until('both were renewed twice', () => nodes.every(node => renewals(node) >= 2), DEADLINE_MS);
  await two.stop();
  await second.waitFor('tls.credentials_warning', line => /agent/.test(String(line.warning)));
  const [seenFirst, seenSecond] = nodes.map(renewals);
  const isRenewed = (node: Daemon, seen = 0) => renewals(node) > seen;
  await until('one node is renewed while the other has no agent', () => isRenewed(first, seenFirst), DEADLINE_MS);
  await two.start();
  await until('the agent that came back is found', () => isRenewed(second, seenSecond), DEADLINE_MS);

  for (const node of nodes) node.signal('SIGUSR2');
  for (const node of nodes) await node.waitFor('load.stopped');
  const { failures, failed, ...calls } = sumOfStats(nodes.map(statsOf));
  t.diagnostic(
    `renewed ${nodes.map(renewals).join(' and ')} times; calls: ${JSON.stringify(calls)}, ${failures.length} streams ended with their certificate`,
  );
  // A stream without an end is not left to outlive the certificate that let it in; no call with an end comes so far.
  const isOfExpiry = (failure: string) => / open-ended stream to .*\(certificate_expired\)$/.test(failure);
  assert.deepEqual(
    failures.filter(failure => !isOfExpiry(failure)),
    [],
  );
  assert.equal(failed, failures.length);
  assert.ok(calls.unary > 0 && calls.serverStreaming > 0 && calls.bidirectional > 0);
});

test('a trust domain that SPIRE federates vouches for its own peers, and for none of ours', async t => {
  const [one] = agents;
  if (one === undefined) return t.skip(whyNot);
  const partner = await createTrustDomain('partner.test');
  await server.federate(partner.name, partner.authority.anchorsPem);
  const entry = { path: '/fabric/node-3', ttlSeconds: 3_600, federatesWith: [partner.name] };
  const { store } = await register(t, one, entry);
  const trustDomains = () => [...new Set(store.snapshot.value.anchors.map(({ trustDomain }) => trustDomain))].sort();
  await until('the bundle is there', () => trustDomains().length === 2, DEADLINE_MS);
  assert.deepEqual(trustDomains(), [partner.name, TRUST_DOMAIN]);

  const bundle = derOf(await server.bundle());
  const theirs = await startWorkloadApi(t);
  theirs.answer(answerOf(await partner.svid('/worker'), { federatedBundles: { [TRUST_DOMAIN]: bundle } }));
  const peer = await connect(t, store, await openStore(t, theirs));
  assert.deepEqual((await seenBy(peer)).uris, ['spiffe://partner.test/worker']);

  const spiffeId = `spiffe://${TRUST_DOMAIN}/fabric/node-1`;
  const forged = { ...(await partner.svid('/worker', { uris: [spiffeId] })), spiffeId, bundle };
  const impostor = await startWorkloadApi(t);
  impostor.answer(answerOf(forged));
  await assert.rejects(seenBy(await connect(t, store, await openStore(t, impostor))), /unknown_ca/);
});

test('an identity that SPIRE takes back is a problem, and the last set stays', async t => {
  const [, two] = agents;
  if (two === undefined) return t.skip(whyNot);
  const { entryId, store } = await register(t, two, { path: '/fabric/node-5', ttlSeconds: 3_600 });
  await server.deleteEntry(entryId);
  await until('the refusal is seen', () => store.state.value.problems.length > 0, DEADLINE_MS);
  assert.match(store.state.value.problems[0]?.problem ?? '', /no identity registered for this process/);
  assert.equal(store.snapshot.value.own.identity.spiffeId, `spiffe://${TRUST_DOMAIN}/fabric/node-5`);
});

/** A client of a server on loopback, each of which shows and trusts what its store holds. */
async function connect(
  t: TestContext,
  serverStore: CredentialsStore,
  clientStore: CredentialsStore,
): Promise<grpc.Client> {
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
      expectation: { kind: 'names', patterns: parsePatterns([`uri:spiffe://${TRUST_DOMAIN}/fabric/*`]) },
    },
    timeoutMs: MODE.handshakeTimeoutMs,
    listener: { connected: () => {}, failed: () => {} },
  });
  return bareClient(t, port, channel);
}
