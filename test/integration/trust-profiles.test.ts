import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions, TlsOptions, TlsProfileOptions } from '../../src/node/node-options.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { echoDefinition, echoImplementation, whoAmI } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

type Family = 'dev' | 'red' | 'blue';

/** Each family has its CA, its trust domain and an address of loopback. */
const HOSTS = { dev: '127.0.0.1', red: '127.0.0.2', blue: '127.0.0.3' } as const;
const identityIn = (family: Family) => `uri:spiffe://${family}/worker/{node-name}`;

interface Running {
  readonly node: FabricNode;
  readonly log: LogLine[];
  readonly options: FabricNodeOptions;
}

/** A router of the family dev with a worker of each of two others; all in one process, over real sockets. */
class Scene {
  readonly #t: TestContext;
  readonly #directory: string;
  readonly #authorities: Readonly<Record<Family, Authority>>;

  static async make(t: TestContext): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-profiles-'));
    const [dev, red, blue] = await Promise.all(
      ['dev', 'red', 'blue'].map(family => createAuthority({ commonName: `${family} CA` })),
    );
    assert.ok(dev && red && blue);
    const scene = new Scene(t, directory, { dev, red, blue });
    for (const family of ['dev', 'red', 'blue'] as const)
      await writeFile(scene.#path(`${family}-ca.pem`), scene.#authorities[family].anchorsPem);
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    return scene;
  }

  private constructor(t: TestContext, directory: string, authorities: Readonly<Record<Family, Authority>>) {
    this.#t = t;
    this.#directory = directory;
    this.#authorities = authorities;
  }

  ca(...families: readonly Family[]): readonly string[] {
    return families.map(family => this.#path(`${family}-ca.pem`));
  }

  /** A certificate of `by` that names a node of a family. */
  async issue(by: Family, name: string, family: Family = by): Promise<{ certFile: string; keyFile: string }> {
    const { certPem, keyPem } = await this.#authorities[by].issue({
      commonName: name,
      uris: [`spiffe://${family}/worker/${name}`],
    });
    const file = this.#path(`${by}-${family}-${name}-${Math.random()}`);
    await writeFile(`${file}.pem`, certPem);
    await writeFile(`${file}.key`, keyPem, { mode: 0o600 });
    return { certFile: `${file}.pem`, keyFile: `${file}.key` };
  }

  async listMembers(of: string, members: Readonly<Record<string, Running>>): Promise<void> {
    const entries = Object.entries({ [of]: 'https://127.9.9.9:1' }).concat(
      Object.entries(members).map(([name, { node }]) => [name, node.ready.fabric[0] ?? '']),
    );
    const lines = entries.map(([name, address]) => `[[member]]\nname = "${name}"\naddress = "${address}"\n`);
    await writeFile(this.#path(`members-${of}.toml`), lines.join('\n'));
  }

  async start(name: string, family: Family, tls: TlsOptions, directory = name): Promise<Running> {
    const log: LogLine[] = [];
    const options: FabricNodeOptions = {
      clusterName: 'prod',
      nodeName: name,
      dataDir: this.#path(`data-${directory}`),
      membership: { source: 'file', membersFile: this.#path(`members-${name}.toml`) },
      networking: { bindAddress: `${HOSTS[family]}:0`, refusedHoldTimeoutMs: 100, reconnectMaxDelayMs: 200, tls },
    };
    const node = await FabricNode.start(options, {
      services: [{ definition: echoDefinition, implementation: echoImplementation }],
      logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    });
    this.#t.after(() => node.close());
    return { node, log, options };
  }

  /** Red workers show the router certificates of its CA, blue ones those of their own. */
  async startAll(
    changed: Partial<TlsProfileOptions> = {},
  ): Promise<{ router: Running; red: Running; blue: Running; profiles: readonly TlsProfileOptions[] }> {
    const profiles = [
      { ...(await this.profileFor('red', 'router')), ...changed },
      await this.profileFor('blue', 'router'),
    ];
    await Promise.all(['router', 'red-1', 'blue-1'].map(name => this.listMembers(name, {})));
    const router = await this.start('router', 'dev', {
      ...(await this.issue('dev', 'router')),
      caFiles: this.ca('dev', 'blue'),
      allowedSubjectNames: ['uri:spiffe://dev/worker/*', 'uri:spiffe://blue/worker/*'],
      nodeIdentity: identityIn('dev'),
      client: { caFiles: this.ca('dev') },
      profiles,
    });
    const red = await this.start('red-1', 'red', await this.worker('red', 'red-1', await this.issue('dev', 'red-1')));
    const blue = await this.start('blue-1', 'blue', await this.worker('blue', 'blue-1', {}));
    return { router, red, blue, profiles };
  }

  async profileFor(family: Family, name: string): Promise<TlsProfileOptions> {
    return {
      name: family,
      destinations: [`https://${HOSTS[family]}:*`],
      ...(await this.issue(family, name)),
      caFiles: this.ca(family),
      nodeIdentity: identityIn(family),
    };
  }

  async worker(family: Family, name: string, shownToRouter: Partial<TlsProfileOptions>): Promise<TlsOptions> {
    const router = { name: 'router', destinations: [`${HOSTS.dev}:*`], nodeIdentity: identityIn('dev') };
    return {
      ...(await this.issue(family, name)),
      caFiles: this.ca(family),
      allowedSubjectNames: [`uri:spiffe://${family}/worker/*`],
      nodeIdentity: identityIn(family),
      profiles: [{ ...router, ...shownToRouter, caFiles: this.ca('dev') }],
    };
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

const seen = async (from: Running, to: string) => (await whoAmI(from.node.client(grpc.Client, to))).uris;

async function ask<Name extends 'GetStatus' | 'GetTlsState' | 'ListConnections'>({ node }: Running, method: Name) {
  const client = new grpc.Client(node.ready.admin, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    return await callUnary(client, nodeControl, method, {}, { timeoutMs: 20_000 });
  } finally {
    client.close();
  }
}

const connected = (from: Running, name: string) =>
  until(`${from.node.ready.node} and ${name} have a stream`, async () =>
    (await ask(from, 'GetStatus')).peers.some(peer => peer.nodeName === name && peer.state === 'connected'),
  );

const refused = (by: Running, reason: string, facts: object = {}) =>
  until(`${by.node.ready.node} refuses: ${reason}`, () =>
    by.log.some(
      line =>
        line.event === 'connection.refused' &&
        line.reason === reason &&
        Object.entries(facts).every(([name, value]) => line[name] === value),
    ),
  );

const outbound = async (from: Running, name: string) =>
  (await ask(from, 'ListConnections')).connections
    .filter(({ direction, nodeName }) => direction === 'outbound' && nodeName === name)
    .map(({ id }) => id);

test('one process speaks to two families, to each with the certificate, the CA and the names of that family', async t => {
  const scene = await Scene.make(t);
  const { router, red, blue } = await scene.startAll();
  await scene.listMembers('router', { 'red-1': red, 'blue-1': blue });
  await scene.listMembers('red-1', { router });
  await scene.listMembers('blue-1', { router });
  await until('the router knows both', async () => (await ask(router, 'GetStatus')).peers.length === 2);
  await until('they know the router', async () =>
    (await Promise.all([red, blue].map(each => ask(each, 'GetStatus')))).every(({ peers }) => peers.length === 1),
  );

  assert.deepEqual(await seen(router, 'red-1'), ['spiffe://red/worker/router']);
  assert.deepEqual(await seen(router, 'blue-1'), ['spiffe://blue/worker/router']);
  assert.deepEqual(await seen(red, 'router'), ['spiffe://dev/worker/red-1'], 'one that our CA gave it');
  assert.deepEqual(await seen(blue, 'router'), ['spiffe://blue/worker/blue-1'], 'its own');
  for (const worker of [red, blue]) {
    await connected(worker, 'router');
    await connected(router, worker.node.ready.node);
  }
  const state = await ask(router, 'GetTlsState');
  assert.deepEqual(
    state.credentials.map(({ usage, certificate }) => [usage, certificate?.names[0]]),
    [
      ['server', 'spiffe://dev/worker/router'],
      ['client', 'spiffe://dev/worker/router'],
      ['profile red', 'spiffe://red/worker/router'],
      ['profile blue', 'spiffe://blue/worker/router'],
    ],
  );
});

for (const [what, change, reason, by] of [
  ['certificate', (scene: Scene) => scene.issue('blue', 'router'), 'unknown_ca', 'red'],
  ['CA', (scene: Scene) => ({ caFiles: scene.ca('blue') }), 'unknown_ca', 'router'],
  ['names', () => ({ nodeIdentity: identityIn('blue') }), 'server_identity_mismatch', 'router'],
] as const)
  test(`with the ${what} of another family no call comes through: ${by} refuses`, async t => {
    const scene = await Scene.make(t);
    const running = await scene.startAll(await change(scene));
    const { router, red, blue, profiles } = running;
    await scene.listMembers('router', { 'red-1': red, 'blue-1': blue });
    await scene.listMembers('red-1', { router });
    await scene.listMembers('blue-1', { router });
    await refused(running[by], reason, by === 'red' ? { identity: 'spiffe://blue/worker/router' } : { node: 'red-1' });
    await assert.rejects(seen(router, 'red-1'), new RegExp(reason));
    await connected(router, 'blue-1');
    assert.deepEqual(await seen(router, 'blue-1'), ['spiffe://blue/worker/router'], 'the other family is as it was');

    const [, blueProfile] = profiles;
    assert.ok(blueProfile);
    await router.node.reload(withProfiles(router.options, [await scene.profileFor('red', 'router'), blueProfile]));
    await until('the right profile is taken live', async () => {
      const uris = await seen(router, 'red-1').catch(() => []);
      return uris[0] === 'spiffe://red/worker/router';
    });
  });

test('a profile that changes is dialled anew, and the connections of others are not touched', async t => {
  const scene = await Scene.make(t);
  const { router, red, blue, profiles } = await scene.startAll();
  await scene.listMembers('router', { 'red-1': red, 'blue-1': blue });
  await scene.listMembers('red-1', { router });
  await scene.listMembers('blue-1', { router });
  await connected(router, 'red-1');
  await connected(router, 'blue-1');
  const calls = () => Promise.all(['red-1', 'blue-1'].map(name => seen(router, name)));
  await calls();
  const before = { red: await outbound(router, 'red-1'), blue: await outbound(router, 'blue-1') };
  assert.equal(before.red.length * before.blue.length, 1);

  const [redProfile, blueProfile] = profiles;
  assert.ok(redProfile && blueProfile);
  const next = { ...redProfile, ...(await scene.issue('red', 'router')) };
  const green = { name: 'green', destinations: ['**.green.example:*'], nodeIdentity: identityIn('blue') };
  await router.node.reload(withProfiles(router.options, [green, next, blueProfile]));
  await until('red is dialled anew', async () => {
    await calls();
    const now = await outbound(router, 'red-1');
    return now.length === 1 && now[0] !== before.red[0];
  });
  assert.deepEqual(await outbound(router, 'blue-1'), before.blue);
  assert.ok(!router.log.some(({ event }) => event === 'connection.withdrawn'));

  const otherNames = { ...blueProfile, nodeIdentity: identityIn('red') };
  await router.node.reload(withProfiles(router.options, [green, next, otherNames]));
  await until('who proved the old name is connected no more', async () =>
    (await ask(router, 'GetStatus')).peers.some(
      ({ nodeName, state }) => nodeName === 'blue-1' && state !== 'connected',
    ),
  );
  await refused(router, 'node_identity_mismatch', { node: 'blue-1' });
  await refused(router, 'server_identity_mismatch', { node: 'blue-1' });
  await connected(router, 'red-1');
});

for (const [what, by, family] of [
  ['a certificate of another node', 'dev', 'dev'],
  ['the certificate of a node of another family', 'blue', 'blue'],
  ['a certificate in its name, of the CA of another family', 'blue', 'dev'],
] as const)
  test(`who says Hello as red-1 with ${what} is refused`, async t => {
    const scene = await Scene.make(t);
    const { router, red, blue } = await scene.startAll();
    await red.node.close();
    await scene.listMembers('router', { 'red-1': red, 'blue-1': blue });
    await until('the router knows both', async () => (await ask(router, 'GetStatus')).peers.length === 2);
    const name = by !== family ? 'red-1' : by === 'dev' ? 'node-7' : 'blue-1';
    const stolen = await scene.issue(by, name, family);
    await scene.listMembers('red-1', { router });
    await scene.start('red-1', 'red', await scene.worker('red', 'red-1', stolen), 'thief');
    await refused(router, 'node_identity_mismatch', { node: 'red-1' });
  });

function withProfiles(options: FabricNodeOptions, profiles: readonly TlsProfileOptions[]): FabricNodeOptions {
  const { networking } = options;
  return { ...options, networking: { ...networking, tls: { ...networking?.tls, profiles } } };
}
