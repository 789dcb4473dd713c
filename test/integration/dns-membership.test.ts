// Nodes that know nothing of each other but a name in DNS.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { fabricDefinition, type WireIntroduction } from '../../src/messaging/frame.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { MembershipOptions } from '../../src/node/membership-options.ts';
import type { FabricNodeOptions, TlsMode } from '../../src/node/node-options.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { closedPort } from '../cluster/test-cluster.ts';
import { type DnsReply, DnsServer } from '../kit/dns-server.ts';
import { echo, echoDefinition, echoImplementation, whoAmI } from '../kit/echo-service.ts';
import { introductionOf } from '../kit/raw-peer.ts';
import { until } from '../kit/until.ts';

const NAME = 'fabric.test';

test('nodes find each other by DNS, join, leave and move, and lose nobody with the resolver', async t => {
  const scene = await Scene.make(t);
  scene.answers('127.0.0.1', '127.0.0.2');
  await scene.start('node-1', '127.0.0.1');
  await scene.start('node-2', '127.0.0.2');
  await scene.everybodySees('node-1', 'node-2');

  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.3');
  await scene.start('node-3', '127.0.0.3');
  await scene.everybodySees('node-1', 'node-2', 'node-3');
  scene.answers('127.0.0.3', '127.0.0.2', '127.0.0.1');

  await scene.stop('node-3');
  await scene.start('node-3', '127.0.0.7');
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.7');
  await scene.everybodySees('node-1', 'node-2', 'node-3');

  const troubles: readonly DnsReply[] = ['SERVFAIL', 'NXDOMAIN', { records: [] }];
  for (const [index, trouble] of troubles.entries()) {
    scene.dns.all(trouble);
    await until('it is frozen', () => scene.events('node-1', 'membership.frozen').length > index);
    await scene.everybodySees('node-1', 'node-2', 'node-3');
    scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.7');
    await until('it is current', () => scene.events('node-1', 'membership.recovered').length > index);
  }

  await scene.stop('node-2');
  scene.answers('127.0.0.1', '127.0.0.7');
  await scene.everybodySees('node-1', 'node-3');
  const left = () => scene.events('node-1', 'membership.changed').flatMap(({ left: names = [] }) => names);
  await until('it is told who left', () => left().length > 0);
  assert.deepEqual(left(), ['node-2']);
});

test('a cluster moves from a file to DNS and back while it runs, and nobody is lost on the way', async t => {
  const scene = await Scene.make(t);
  const hosts = { 'node-1': '127.0.0.1', 'node-2': '127.0.0.2' };
  await scene.writeMembers(hosts);
  for (const [name, host] of Object.entries(hosts)) await scene.start(name, host, 'strict', 'file');
  await scene.everybodySees('node-1', 'node-2');
  await assert.rejects(scene.reload('node-1', 'strict', 'dns'), /dns cannot be heard: fabric\.test has no address/);

  scene.answers('127.0.0.1', '127.0.0.2');
  for (const source of [['file', 'dns'], 'dns', ['dns', 'file'], 'file'] as const) {
    for (const name of Object.keys(hosts)) await scene.reload(name, 'strict', source);
    await scene.everybodySees('node-1', 'node-2');
  }
  assert.deepEqual(scene.lost, []);
});

test('who answers DNS can make nobody a member, nor put one in the place of another', async t => {
  const scene = await Scene.make(t);
  scene.answers('127.0.0.1', '127.0.0.2');
  await scene.start('node-1', '127.0.0.1');
  await scene.start('node-2', '127.0.0.2');
  await scene.everybodySees('node-1', 'node-2');

  // The key of an ordinary node, and the names of others.
  await scene.impostor('127.0.0.66', 'node-3', { nodeName: 'node-2', generation: Number.MAX_SAFE_INTEGER });
  await scene.impostor('127.0.0.67', 'node-3', { nodeName: 'node-1', generation: 1 });
  await scene.impostor('127.0.0.68', 'node-3', { nodeName: 'node-3', clusterName: 'other' });
  await scene.impostor('127.0.0.69', undefined, { nodeName: 'node-3' });
  await scene.impostor('127.0.0.70', 'node-3', { nodeName: 'no\nname' });
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.66', '127.0.0.67', '127.0.0.68', '127.0.0.69', '127.0.0.70');
  await scene.unidentified('node-1', {
    '127.0.0.66': /server_identity_mismatch: the certificate does not prove node-2/,
    '127.0.0.67': /server_identity_mismatch: the certificate does not prove node-1/,
    '127.0.0.68': /cluster_mismatch: node-3 is of the cluster "other"/,
    '127.0.0.70': /handshake_failed: the introduction is malformed: the node name is not one/,
  });
  await scene.everybodySees('node-1', 'node-2');

  // All of DNS is theirs now: the most they reach is that nobody hears of changes.
  scene.answers('127.0.0.66', '127.0.0.67', '127.0.0.69');
  await scene.lookedUp(6);
  scene.asked.clear();
  await until('they were asked again', () => scene.asked.has('127.0.0.66') && scene.asked.has('127.0.0.67'));
  await scene.everybodySees('node-1', 'node-2');
  assert.ok(scene.events('node-1', 'connection.refused').length === 0, 'nobody dials what is no member');

  // The node whose key it is is a member of that name and of no other.
  await scene.impostor('127.0.0.71', 'node-3', { nodeName: 'node-3' });
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.71');
  await until('it is a member', () => scene.node('node-1').members.get('node-3') !== undefined);
});

test('in optional with refuse-downgrade who speaks TLS must prove its name, also where somebody says it in plaintext', async t => {
  const scene = await Scene.make(t);
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.3');
  await scene.start('node-1', '127.0.0.1', 'optional');
  await scene.start('node-2', '127.0.0.2', 'strict');
  await scene.start('node-3', '127.0.0.3', 'plain');
  await until('each by its mode', () =>
    ['node-2', 'node-3'].every(name => scene.node('node-1').members.get(name)?.stream === 'connected'),
  );
  await scene.impostor('127.0.0.66', undefined, { nodeName: 'node-2', mode: 'plain', generation: Date.now() * 2 });
  await scene.impostor('127.0.0.67', undefined, { nodeName: 'node-2', mode: 'optional' });
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.66', '127.0.0.67');
  await until('they were asked', () => scene.asked.has('127.0.0.66') && scene.asked.has('127.0.0.67'));
  scene.answers('127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.66', '127.0.0.67', '127.0.0.4');
  await scene.start('node-4', '127.0.0.4', 'optional');
  await until('what came later is known', () => scene.node('node-1').members.get('node-4') !== undefined);
  await until('node-4 is called over mutual TLS', async () => {
    const client = scene.node('node-1').client(grpc.Client, 'node-4');
    const { security } = await whoAmI(client).catch(() => ({ security: 'none yet' }));
    client.close();
    return security === 'mutual_tls';
  });
  const moved = scene.events('node-1', 'membership.changed').flatMap(line => line.moved ?? []);
  assert.deepEqual(moved, [], 'node-2 is where it proves that it is');

  // What DNS names instead is not dialled in its place.
  await scene.impostor('127.0.0.68', undefined, { nodeName: 'node-2', mode: 'plain' });
  scene.answers('127.0.0.1', '127.0.0.3', '127.0.0.4', '127.0.0.68');
  await until('it was asked', () => scene.asked.has('127.0.0.68'));
  await scene.stop('node-2');
  await scene.unidentified('node-1', { '127.0.0.68': /downgrade_refused: node-2 spoke TLS before/ });
  await until('node-2 is nobody', () => scene.node('node-1').members.get('node-2') === undefined);
  await assert.rejects(whoAmI(scene.node('node-1').client(grpc.Client, 'node-2')), /node-2 is not a member/);
});

type Source = MembershipOptions['source'];

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
  readonly left?: readonly string[];
  readonly moved?: readonly string[];
}

class Scene {
  readonly dns: DnsServer;
  /** Hosts of impostors that were asked who they are. */
  readonly asked = new Set<string>();
  /** Who was a member for some node, and is none. */
  readonly lost: string[] = [];
  readonly #t: TestContext;
  readonly #directory: string;
  readonly #store: CertStore;
  readonly #port: number;
  readonly #nodes = new Map<string, FabricNode>();
  readonly #hosts = new Map<string, string>();
  readonly #lines = new Map<string, Line[]>();

  static async make(t: TestContext): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-dns-'));
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    for (const nodeName of ['node-1', 'node-2', 'node-3', 'node-4'])
      await store.issueNode({ nodeName, hosts: [], localhost: true });
    const dns = await DnsServer.start();
    t.after(() => dns[Symbol.asyncDispose]());
    return new Scene(t, directory, store, dns, await closedPort());
  }

  private constructor(t: TestContext, directory: string, store: CertStore, dns: DnsServer, port: number) {
    this.#t = t;
    this.#directory = directory;
    this.#store = store;
    this.#port = port;
    this.dns = dns;
  }

  answers(...hosts: readonly string[]): void {
    this.dns.all('NXDOMAIN').addresses(NAME, hosts, 0);
  }

  /** The members file of all nodes. */
  async writeMembers(hosts: Readonly<Record<string, string>>): Promise<void> {
    const tables = Object.entries(hosts).map(
      ([name, host]) => `[[member]]\nname = "${name}"\naddress = "${host}:${this.#port}"\n`,
    );
    await writeFile(this.#path('members.toml'), tables.join(''));
  }

  async reload(nodeName: string, mode: TlsMode, source: Source): Promise<void> {
    await this.node(nodeName).reload(this.#options(nodeName, this.#hosts.get(nodeName) ?? '', mode, source));
  }

  async start(nodeName: string, host: string, mode: TlsMode = 'strict', source: Source = 'dns'): Promise<void> {
    this.#hosts.set(nodeName, host);
    const lines: Line[] = [];
    this.#lines.set(nodeName, lines);
    const sayName = (_call: unknown, reply: grpc.sendUnaryData<Buffer>) => reply(null, Buffer.from(nodeName));
    const node = await FabricNode.start(this.#options(nodeName, host, mode, source), {
      logger: createLogger({ write: line => lines.push(JSON.parse(line)) }),
      services: [{ definition: echoDefinition, implementation: { ...echoImplementation, Echo: sayName } }],
    });
    node.members.subscribe(({ node: other, to }) => {
      if (to === undefined) this.lost.push(other);
    });
    this.#t.after(() => node.close());
    this.#nodes.set(nodeName, node);
  }

  async stop(nodeName: string): Promise<void> {
    await this.node(nodeName).close();
    this.#nodes.delete(nodeName);
  }

  node(name: string): FabricNode {
    return this.#nodes.get(name) ?? assert.fail(`no ${name}`);
  }

  /** Every node that runs has a stream to each of the others, calls them, and knows nobody else. */
  async everybodySees(...names: readonly string[]): Promise<void> {
    assert.deepEqual([...this.#nodes.keys()].sort(), names);
    for (const [name, node] of this.#nodes) {
      const others = names.filter(other => other !== name);
      const expected = others.map(other => `${other} connected`).join();
      await until(`${name} sees the others`, () => {
        return node.members.all.map(member => `${member.name} ${member.stream}`).join() === expected;
      });
      // A stranger may have a stream; only members are called.
      for (const other of others) await until(`${name} calls ${other}`, () => this.calls(name, other));
    }
  }

  async calls(name: string, other: string): Promise<boolean> {
    const client = this.node(name).client(grpc.Client, other);
    const answer = await echo(client, '').catch(() => '');
    client.close();
    return answer === other;
  }

  /** So many questions have come to DNS since now. */
  async lookedUp(times: number): Promise<void> {
    const before = this.dns.requests.length;
    await until('the nodes have asked DNS', () => this.dns.requests.length >= before + times);
  }

  events(node: string, event: string): readonly Line[] {
    return (this.#lines.get(node) ?? []).filter(line => line.event === event);
  }

  async unidentified(node: string, problems: Readonly<Record<string, RegExp>>): Promise<void> {
    const told = () => this.events(node, 'membership.address_unidentified');
    for (const [host, problem] of Object.entries(problems)) {
      const ofHost = () => told().filter(({ address }) => address === `${host}:${this.#port}`);
      await until(`${host} is told`, () => ofHost().length > 0);
      assert.deepEqual(
        ofHost().map(line => problem.test(String(line.problem))),
        [true],
        String(ofHost()[0]?.problem),
      );
    }
  }

  /** Somebody who says what it likes, with the key of a node or in plaintext. */
  async impostor(host: string, keyOf: string | undefined, says: Partial<WireIntroduction>): Promise<void> {
    const server = new grpc.Server();
    server.addService(fabricDefinition, {
      Introduce: (_call: unknown, reply: grpc.sendUnaryData<WireIntroduction>) => {
        this.asked.add(host);
        reply(null, { ...introductionOf('nobody'), clusterName: 'dev', mode: 'strict', ...says });
      },
    });
    let credentials = grpc.ServerCredentials.createInsecure();
    if (keyOf !== undefined) {
      const [key, cert] = await Promise.all(['key', 'pem'].map(end => readFile(this.#path(`certs/${keyOf}.${end}`))));
      const ca = Buffer.from(this.#store.authority.anchorsPem);
      if (key === undefined || cert === undefined) throw new TypeError('unreachable');
      credentials = grpc.ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
    }
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`${host}:${this.#port}`, credentials, error => (error === null ? resolve() : reject(error)));
    });
    this.#t.after(() => server.forceShutdown());
  }

  #path(file: string): string {
    return join(this.#directory, file);
  }

  #options(nodeName: string, host: string, mode: TlsMode, source: Source): FabricNodeOptions {
    const dns = { names: [NAME], port: this.#port, servers: [this.dns.address], minTtlMs: 20 };
    const kinds = [source].flat();
    return {
      clusterName: 'dev',
      nodeName,
      dataDir: this.#path(`data-${nodeName}`),
      networking: {
        bindAddress: `${host}:${this.#port}`,
        heartbeatIntervalMs: 100,
        reconnectMaxDelayMs: 200,
        tls: {
          mode,
          certFile: this.#path(`certs/${nodeName}.pem`),
          keyFile: this.#path(`certs/${nodeName}.key`),
          caFiles: [this.#path('certs/ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
          nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
          refuseDowngrade: mode === 'optional',
        },
      },
      membership: {
        source,
        ...(kinds.includes('dns') ? { dns } : {}),
        ...(kinds.includes('file') ? { membersFile: this.#path('members.toml') } : {}),
      },
    };
  }
}
