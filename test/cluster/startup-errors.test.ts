import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import { fabricPort, type NodeConfig, TestCluster } from './test-cluster.ts';

const SELVEDGE = new URL('../../src/cli/selvedge.ts', import.meta.url).pathname;

const ROOT = process.getuid?.() === 0;

interface Case {
  /** Of the node. */
  readonly name: string;
  readonly promise: string;
  readonly config?: NodeConfig;
  /** Spoils what was prepared. */
  readonly arrange?: (name: string) => Promise<unknown>;
  readonly exitCode: number;
  /** What stands in the lines on stderr, a line each, in this order. */
  readonly says: readonly RegExp[];
  readonly skip?: string | false;
}

test('what keeps a daemon from starting is said in one line a problem, with the exit code of its kind', {
  concurrency: 2,
}, async t => {
  const cluster = await TestCluster.make(t);
  const running = await cluster.start('running');
  const taken = await occupiedPort(t);
  const cert = (name: string, kind: 'pem' | 'key') => cluster.path('certs', `${name}.${kind}`);
  const expired = { notAfter: new Date(Date.now() - 60_000), force: true };

  const cases: readonly Case[] = [
    {
      name: 'several',
      promise: 'several mistakes are all reported, each with its place and what to do',
      config: {
        top: { 'log-levle': 'debug' },
        networking: { 'drain-timeout': '30', 'advertised-address': '0.0.0.0:1' },
        tls: { mode: 'stritc', 'allowed-subject-names': [] },
      },
      exitCode: 78,
      says: [
        /several\.toml:\d+:\d+: log-levle: .*log-level/,
        /several\.toml:\d+:\d+: networking\.drain-timeout: .*"30s"/,
        /several\.toml:\d+:\d+: networking\.advertised-address: A wildcard .* Write the host name/,
        /several\.toml:\d+:\d+: networking\.tls\.mode: .*strict/,
        /several\.toml:\d+:\d+: networking\.tls\.allowed-subject-names: Nobody may connect: .* List the patterns/,
      ],
    },
    {
      name: 'https-plain',
      promise: 'an https address in the mode plain',
      config: { mode: 'plain', networking: { 'advertised-address': 'https://node.example:5122' } },
      exitCode: 78,
      says: [/networking\.advertised-address: The mode plain speaks no TLS.* raise networking\.tls\.mode/],
    },
    {
      name: 'unix-strict',
      promise: 'a unix socket as the fabric of a strict node',
      config: { networking: { 'bind-address': 'unix:/tmp/never.sock' } },
      exitCode: 78,
      says: [/networking\.bind-address: A unix socket is plaintext, which the mode strict refuses\. Bind to host:port/],
    },
    {
      name: 'http-member',
      promise: 'a members file in which a member of a strict node lists http alone',
      config: { members: [['other', 'http://127.0.0.1:5199']] },
      exitCode: 78,
      says: [/members-http-member\.toml: member other: .*http:\/\/127\.0\.0\.1:5199.* https/],
    },
    {
      name: 'missing',
      promise: 'a missing key and an empty CA file, both at once',
      arrange: () => writeFile(cluster.path('certs', 'empty-ca.pem'), ''),
      config: { tls: { 'key-file': 'certs/nobody.key', 'ca-file': 'certs/empty-ca.pem' } },
      exitCode: 78,
      says: [/certs\/nobody\.key: .*key-file: is missing/, /certs\/empty-ca\.pem: .*ca-file: is empty/],
    },
    {
      name: 'expired',
      promise: 'an expired certificate and a key of another, both at once',
      arrange: async name => {
        await cluster.store.issueNode({ nodeName: name, hosts: [], ...expired });
        await writeFile(cert(name, 'key'), await readFile(cert('running', 'key')));
      },
      exitCode: 78,
      says: [
        /expired\.pem: .*cert-file: the certificate expired on /,
        /expired\.key: .*key-file: the private key does not belong to the first certificate/,
      ],
    },
    {
      name: 'unreadable',
      promise: 'a key that may not be read',
      arrange: async name => chmod(cert(name, 'key'), 0o000),
      exitCode: 78,
      says: [/unreadable\.key: .*cannot be read: permission denied/],
      skip: ROOT && 'root may read every file',
    },
    {
      name: 'port',
      promise: 'a fabric port that is in use',
      config: { networking: { 'bind-address': `127.0.0.1:${fabricPort(running)}` } },
      exitCode: 1,
      says: [new RegExp(`127\\.0\\.0\\.1:${fabricPort(running)} is in use by another process`)],
    },
    {
      name: 'side-port',
      promise: 'an observability port that is in use',
      config: { top: { observability: { 'bind-address': `127.0.0.1:${taken}` } } },
      exitCode: 1,
      says: [new RegExp(`observability: 127\\.0\\.0\\.1:${taken} is in use by another process`)],
    },
    {
      name: 'locked',
      promise: 'a data directory that another daemon runs on',
      config: { top: { 'data-dir': 'data/running' } },
      exitCode: 1,
      says: [new RegExp(`data directory .*data/running is in use by process ${running.pid}`)],
    },
    {
      name: 'admin',
      promise: 'an admin socket that another daemon listens on',
      config: { top: { 'admin-socket': 'data/running/admin.sock' } },
      exitCode: 1,
      says: [/admin\.sock is in use by another process/],
    },
    {
      name: 'data-file',
      promise: 'a data directory that is a file',
      arrange: name => writeFile(cluster.path(`${name}.data`), ''),
      config: { top: { 'data-dir': 'data-file.data' } },
      exitCode: 1,
      says: [/data directory .*data-file\.data cannot be used: .*EEXIST/],
    },
    {
      name: 'read-only',
      promise: 'a data directory that may not be written',
      arrange: name => mkdir(cluster.path('data', name), { recursive: true, mode: 0o500 }),
      exitCode: 1,
      says: [/data directory .*read-only cannot be used: .*EACCES/],
      skip: ROOT && 'root may write everywhere',
    },
  ];
  const keys = async () =>
    Promise.all(
      (await cluster.store.list()).map(({ name }) => readFile(cert(name, 'key'), 'latin1').catch(() => 'none')),
    );

  await Promise.all(
    cases.map(({ name, promise, config, arrange, exitCode, says, skip = false }) =>
      t.test(promise, { skip }, async () => {
        await cluster.issue(name);
        await cluster.writeConfig(name, config);
        await arrange?.(name);
        const daemon = cluster.spawn(name);
        assert.equal(await daemon.exited, exitCode, daemon.stderr);
        const lines = daemon.stderr.trimEnd().split('\n');
        assert.equal(lines.length, says.length, daemon.stderr);
        for (const [at, pattern] of says.entries()) assert.match(lines[at] ?? '', pattern);
        for (const line of lines) assert.match(line, /^selvedge: /);
        assertDiscreet(daemon.stderr + JSON.stringify(daemon.lines), await keys());
        assert.ok(!daemon.lines.some(line => line.event === 'not-json' || line.event === 'node.ready'));
      }),
    ),
  );

  await t.test('a command line that is not understood exits with 2 and points to the help', async () => {
    const daemon = cluster.spawn('running', {
      program: [SELVEDGE, 'run', '--config', 'x.toml', '--confg'],
    });
    assert.equal(await daemon.exited, 2);
    assert.match(daemon.stderr, /^error: unknown option '--confg'\n.*See: selvedge run --help\n$/s);
    assertDiscreet(daemon.stderr, []);
  });

  await t.test('and the daemon that was in the way never noticed', async () => {
    assert.equal(await running.stop(), 0);
    assert.equal(running.stderr, '');
    assertDiscreet(JSON.stringify(running.lines), await keys());
  });
});

/** No stack trace, and nothing of any key. */
function assertDiscreet(output: string, keys: readonly string[]): void {
  assert.doesNotMatch(output, /^\s+at |\\n\s+at |node:internal|\.ts:\d+:\d+\)/m);
  assert.doesNotMatch(output, /PRIVATE KEY/);
  for (const pem of keys) {
    for (const line of pem.split('\n')) if (/^[A-Za-z0-9+/=]{20,}$/.test(line)) assert.ok(!output.includes(line));
  }
}

/** A port of loopback that this process listens on until the test ends. */
async function occupiedPort(t: TestContext): Promise<number> {
  const server = net.createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
