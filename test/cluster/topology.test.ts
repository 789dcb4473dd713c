import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { documentedMethods } from '../architecture/documented-tables.ts';
import { runCtl } from '../cli/programs.ts';
import { bareClient, createSslClient } from '../kit/bare-grpc.ts';
import { everyMethodOf, type Heard, hear, hearAll, type ServedMethod } from '../kit/every-method.ts';
import { askLocally, closedPort, fabricPort, peerOnce, TestCluster } from './test-cluster.ts';

/** What nobody who is not admin, observer or local may hear, by what it is. */
type Secrets = Readonly<Record<string, RegExp>>;

interface Caller {
  readonly client: grpc.Client;
  /** The name that its Hello bears. */
  readonly claims: string;
  /** Whether its certificate is that of the node it claims to be. */
  readonly proves?: true;
}

/** What grpc-js answers itself where a request did not get through. */
const LOCAL_CODES = [grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED, grpc.status.INTERNAL];
const TIMEOUT = { timeout: 300_000 };

for (const mode of ['strict', 'optional'] as const) {
  test(`in ${mode} no answer, error or metadata tells who is no observer of other nodes`, TIMEOUT, async t => {
    const cluster = await TestCluster.make(t);
    const daemon = await startThree(cluster, mode);
    const own = await secretsOf(cluster, daemon, 'node-1');
    const others = await secretsOfOthers(cluster, daemon);
    const callers = await callersOf(t, cluster, fabricPort(daemon), mode);
    const admin = await clientOf(t, cluster, fabricPort(daemon), 'admin');
    const methods = await everyMethodOf(admin);
    assert.ok(methods.length > 15);

    await t.test('an admin hears all of it, so that the search would find it', async () => {
      const heard: Heard[] = [];
      for (const method of methods)
        if (isReading(method)) heard.push(...(await hearAll(admin, method, method.requests({ claims: 'node-2' }))));
      const found = new Set(heard.flatMap(each => leaksIn(each, { ...own, ...others })));
      assert.deepEqual([...found].toSorted(), Object.keys({ ...own, ...others }).toSorted());
    });

    for (const [name, { client, claims, proves = false }] of Object.entries(callers)) {
      await t.test(`${name} hears nothing of it`, async () => {
        assert.deepEqual(
          (await everyMethodOf(client)).map(each => each.name),
          methods.map(each => each.name),
        );
        let isLetIn: boolean = proves;
        for (const method of methods) {
          for (const heard of await hearAll(client, method, method.requests({ claims }))) {
            const { code, details } = heard.status;
            // These words would be those of the client.
            assert.ok(!LOCAL_CODES.includes(code), `${method.name}: ${details}`);
            if (!isReading(method) && !method.name.endsWith('/Connect'))
              assert.equal(code, grpc.status.PERMISSION_DENIED, method.name);
            isLetIn ||= isWelcome(heard);
            const secrets: Secrets =
              isLetIn && method.name.endsWith('/Introduce') ? others : secretsFor(heard, claims, own, others);
            assert.deepEqual(leaksIn(heard, secrets), [], `${method.name} to ${name}`);
          }
        }
        for (const path of ['/selvedge.control.v1.NodeControl/NoSuchMethod', '/no.such.Service/Method']) {
          const unknown = await hear(client, { ...CHECK, path }, [{}]);
          assert.deepEqual(leaksIn(unknown, { ...own, ...others }), []);
          assert.equal(unknown.answers.length, 0);
        }
      });
    }

    await t.test('the side listener tells nothing of it', async () => {
      for (const path of ['/healthz', '/readyz', '/metrics', '/no-such-page']) {
        const text = await (await fetch(`${daemon.ready.observability}${path}`)).text();
        assert.deepEqual(leaksOf(text, withoutPorts({ ...own, ...others })), [], path);
        assert.doesNotMatch(text, /NoSuchMethod|no\.such/, 'no label holds what a caller asked for');
      }
    });

    if (mode === 'strict')
      await t.test(
        'an operator has in full what the node that is asked sees, and is told whom to ask for the rest',
        async () => {
          const config = ['--config', cluster.path('node-1.toml')];
          const preflight = await runCtl(['tls', 'preflight', '--to', 'plain', ...config]);
          assert.equal(preflight.exitCode, 3, preflight.stderr);
          for (const expected of [
            /^ +node-2 is in mode strict and would refuse this node\.$/m,
            /^node-3 +strict +no +The way leads through optional/m,
            /^ +A member is in mode strict and would refuse this node\.$/m,
            /^node-4 +- +no +it did not answer: /m,
            /^Redacted: .* whom node-2, node-3 would cut off; `selvedgectl tls preflight --to plain -s ADDRESS`/m,
          ])
            assert.match(preflight.stdout, expected);
          const status = await runCtl(['status', ...config]);
          for (const expected of [
            /^node-1 +ready +strict +2\/3 /m,
            /^node-3 +ready +strict +all .* https:\/\/127\.0\.0\.1:\d+ /m,
            /^Redacted: .* the peers of node-2, node-3; `selvedgectl status --node -s ADDRESS`/m,
          ])
            assert.match(status.stdout, expected);
        },
      );

    if (mode === 'strict')
      await t.test('a refused plaintext client is told the reason and nothing of it', async () => {
        const said = await allSaidTo(fabricPort(daemon), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
        assert.match(said, /plaintext_refused/);
        assert.deepEqual(leaksOf(said, { ...own, ...others }), []);
      });
  });
}

const BYTES = { serialize: () => Buffer.alloc(0), deserialize: (bytes: Buffer): object => ({ bytes: `${bytes}` }) };
const CHECK: grpc.MethodDefinition<object, object> = {
  path: '',
  requestStream: false,
  responseStream: false,
  requestSerialize: BYTES.serialize,
  requestDeserialize: BYTES.deserialize,
  responseSerialize: BYTES.serialize,
  responseDeserialize: BYTES.deserialize,
};

/** node-1, which is asked, connected to node-2 and node-3; node-4 is a member that nobody started. */
async function startThree(cluster: TestCluster, mode: 'strict' | 'optional'): Promise<Daemon> {
  const nowhere = `127.0.0.2:${await closedPort()}`;
  const start = (name: string, members: readonly (readonly [string, string])[]) =>
    cluster.start(name, {
      mode,
      members,
      tls: { 'require-client-auth': false },
      top: { labels: { rack: `rack-of-${name}` }, observability: { 'bind-address': '127.0.0.1:0' } },
    });
  const node1 = await start('node-1', [
    ['node-2', nowhere],
    ['node-4', nowhere],
  ]);
  const there = [['node-1', `127.0.0.1:${fabricPort(node1)}`]] as const;
  const [node2, node3] = await Promise.all([start('node-2', there), start('node-3', there)]);
  await cluster.writeMembers('node-1', [
    ['node-2', `localhost:${fabricPort(node2)}`],
    ['node-3', `127.0.0.1:${fabricPort(node3)}`],
    ['node-4', nowhere],
  ]);
  for (const name of ['node-2', 'node-3'])
    await peerOnce(node1, name, peer => peer.state === 'connected' && peer.addresses.length > 0);
  await peerOnce(node1, 'node-4', peer => peer.state === 'unreachable');
  return node1;
}

async function callersOf(
  t: TestContext,
  cluster: TestCluster,
  port: number,
  mode: 'strict' | 'optional',
): Promise<Readonly<Record<string, Caller>>> {
  const { authority } = cluster.store;
  const workload = { commonName: 'batch-7', uris: ['spiffe://dev/fabric/batch-7'] };
  const insecure = grpc.credentials.createInsecure();
  return {
    'a peer that is no member': {
      client: await createSslClient(t, port, authority.anchorsPem, authority, workload),
      claims: 'node-2',
    },
    'who holds the key of node-3': {
      client: await clientOf(t, cluster, port, 'node-3'),
      claims: 'node-3',
      proves: true,
    },
    'TLS without a certificate': {
      client: await createSslClient(t, port, authority.anchorsPem, authority, undefined),
      claims: 'node-4',
    },
    ...(mode === 'strict' ? {} : { plaintext: { client: bareClient(t, port, insecure), claims: 'node-4' } }),
  };
}

/** With the certificate that the files of the cluster hold, or a new one of an admin. */
async function clientOf(t: TestContext, cluster: TestCluster, port: number, name: string): Promise<grpc.Client> {
  const { authority } = cluster.store;
  if (name === 'admin')
    return createSslClient(t, port, authority.anchorsPem, authority, { uris: ['spiffe://dev/admin/ann'] });
  const [key, cert] = await Promise.all(['key', 'pem'].map(end => readFile(cluster.path('certs', `${name}.${end}`))));
  const credentials = grpc.credentials.createSsl(Buffer.from(authority.anchorsPem), key, cert);
  return bareClient(t, port, credentials, { 'grpc.ssl_target_name_override': 'localhost' });
}

/** Where a node is, and what else names it beside its name. */
async function secretsOf(cluster: TestCluster, daemon: Daemon, name: string): Promise<Secrets> {
  const certificate = new X509Certificate(await readFile(cluster.path('certs', `${name}.pem`)));
  return {
    'the host': /127\.0\.0\.1/,
    [`the port of ${name}`]: numberAlone(fabricPort(daemon)),
    [`the fingerprint of ${name}`]: new RegExp(certificate.fingerprint256.replaceAll(':', ''), 'i'),
    [`a label of ${name}`]: new RegExp(`rack-of-${name}`),
  };
}

async function secretsOfOthers(cluster: TestCluster, daemon: Daemon): Promise<Secrets> {
  const { peers } = await askLocally(daemon, 'GetStatus');
  const found: Record<string, RegExp> = {
    'a host name': /localhost/,
    'a host of others': /127\.0\.0\.2/,
    'a subject': /CN=/,
    'a SPIFFE ID': /spiffe:\/\//,
    'a directory': new RegExp(cluster.directory),
    'a list of others': /"(peers|connections|unreachable|members)":(\[[^\]]|\{)/,
    'a count of others': /"(members|unknown|inTheWay|presented|trustedAs\w+|trustedByProfiles|\w+MutualTls)":[1-9]/,
  };
  for (const { nodeName: name, addresses } of peers) {
    found[name] = new RegExp(`${name}(?![0-9])`);
    found[`the port of ${name}`] = numberAlone(Number(/:(\d+)$/.exec(addresses[0] ?? '')?.[1]));
    if (name === 'node-4') continue;
    const certificate = new X509Certificate(await readFile(cluster.path('certs', `${name}.pem`)));
    found[`the fingerprint of ${name}`] = new RegExp(certificate.fingerprint256.replaceAll(':', ''), 'i');
    found[`a label of ${name}`] = new RegExp(`rack-of-${name}`);
  }
  assert.equal(peers.length, 3);
  return found;
}

/**
 * A Hello that was taken is answered with who the answering node is, and one that was refused with the name it claims.
 */
function secretsFor(heard: Heard, claims: string, own: Secrets, others: Secrets): Secrets {
  if (isWelcome(heard)) return others;
  const { [claims]: claimed, ...rest } = others;
  return heard.status.metadata.get('selvedge-reason').length > 0 ? { ...own, ...rest } : { ...own, ...others };
}

function isWelcome({ answers }: Heard): boolean {
  return answers.some(({ message }) => 'welcome' in message && message.welcome !== null);
}

function leaksIn({ answers, status }: Heard, secrets: Secrets): readonly string[] {
  const texts = answers.flatMap(({ message, bytes }) => [JSON.stringify(message), bytes.toString('latin1')]);
  return leaksOf([...texts, status.details, JSON.stringify(status.metadata.getMap())].join('\n'), secrets);
}

function leaksOf(text: string, secrets: Secrets): readonly string[] {
  return Object.keys(secrets).filter(name => secrets[name]?.test(text));
}

function numberAlone(value: number): RegExp {
  return new RegExp(`(?<![0-9.])${value}(?![0-9.])`);
}

/** For texts with numbers that mean something else. */
function withoutPorts(secrets: Secrets): Secrets {
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => !name.startsWith('the port')));
}

function isReading({ name }: ServedMethod): boolean {
  return documentedMethods().get(name)?.tls !== '-' && !name.endsWith('/Connect');
}

function allSaidTo(port: number, greeting: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write(greeting));
    socket.setEncoding('latin1').on('data', text => {
      said += text;
    });
    socket.once('error', reject).once('close', () => resolve(said));
  });
}
