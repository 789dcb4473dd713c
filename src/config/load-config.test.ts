import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import { parseAddress } from '../identity/address.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';

const NODE = `cluster-name = "dev"
node-name = "node-1"
data-dir = "data"
`;

const TLS = `[networking.tls]
cert-file = "certs/node.pem"
key-file = "certs/node.key"
ca-file = ["certs/ca.pem", "/etc/ca.pem"]
allowed-subject-names = ["uri:spiffe://dev/fabric/*"]
`;

interface Above {
  readonly env?: Record<string, string>;
  readonly set?: readonly string[];
}

async function load(t: TestContext, source: string, { env = {}, set = [] }: Above = {}): Promise<LoadedConfig> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-config-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'node.toml');
  await writeFile(file, source);
  return loadConfig({ file, env, set });
}

/** Each problem as `place key`, where the place in the file is `line:column`. */
async function problemsOf(t: TestContext, source: string, above: Above = {}): Promise<readonly ConfigProblem[]> {
  const error = await load(t, source, above).then(
    () => assert.fail('it was accepted'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isSelvedgeError(error, 'config_invalid'), String(error));
  const problems = error.facts.problems.map(problem => ({ ...problem, place: basename(problem.place) }));
  for (const { problem, place, key } of problems) {
    assert.ok(error.message.includes(problem), 'the message lists every problem');
    assert.ok(error.message.includes(place) && error.message.includes(key), 'with its place and its key');
  }
  return problems;
}

async function placesOf(t: TestContext, source: string, above: Above = {}): Promise<readonly string[]> {
  return (await problemsOf(t, source, above)).map(({ place, key }) => `${place} ${key}`);
}

test('a file with what is required is a configuration, in plain mode', async t => {
  const { options, settings, warnings, masked } = await load(t, NODE);
  assert.equal(options.clusterName, 'dev');
  assert.equal(settings.mode, 'plain');
  assert.equal(settings.tls, undefined);
  assert.deepEqual([warnings, masked], [[], []]);
});

test('relative paths begin at the directory of the file', async t => {
  const { file, settings } = await load(
    t,
    `${NODE}[membership]\nsource = "file"\nmembers-file = "members.toml"\n${TLS}`,
    { set: ['networking.tls.crl-file=crl.pem', 'admin-socket=run/admin.sock'] },
  );
  const directory = dirname(file);
  assert.equal(settings.dataDir, join(directory, 'data'));
  assert.equal(settings.adminSocket, join(directory, 'run/admin.sock'));
  assert.deepEqual(settings.membership, {
    sources: [{ kind: 'file', membersFile: join(directory, 'members.toml') }],
  });
  assert.deepEqual(settings.tls?.serverCredentials, {
    kind: 'files',
    certFile: join(directory, 'certs/node.pem'),
    keyFile: join(directory, 'certs/node.key'),
    caFiles: [join(directory, 'certs/ca.pem'), '/etc/ca.pem'],
    crlFiles: [join(directory, 'crl.pem')],
  });
});

test('a relative unix socket begins at the directory of the file', async t => {
  const { file, settings } = await load(t, `${NODE}[networking]\nbind-address = "unix:fabric.sock"\n`);
  assert.deepEqual(settings.networking.bindAddress, { kind: 'unix', path: join(dirname(file), 'fabric.sock') });
});

test('durations become milliseconds', async t => {
  const { settings } = await load(t, `${NODE}[networking]\ndrain-timeout = "1m"\nhold-timeout = "250ms"\n`);
  assert.equal(settings.networking.drainTimeoutMs, 60_000);
  assert.equal(settings.networking.holdTimeoutMs, 250);
});

test('one text stands for a list of one', async t => {
  const { settings } = await load(t, `${NODE}[networking]\nadvertised-address = "node-1.example:5122"\n`);
  assert.equal(settings.networking.advertised?.length, 1);
});

test('all mistakes of a file are reported at once, in its order, each with its place', async t => {
  const places = await placesOf(
    t,
    `cluster-name = "dev"
node-name = "Node_1"
data-dir = 5
labels = { role = 7 }

[networking]
bind-adress = "0.0.0.0:5122"
max-connections = "many"
drain-timeout = 30
heartbeat-interval = "20s"

[networking.tls]
mode = "stict"
cert-file = "certs/node.pem"
ca-file = [
  "certs/ca.pem",
  5,
]
allowed-subject-names = ["uri:spiffe://dev/fabric/*", "foo:bar"]

[[networking.tls.profile]]
destinations = ["https://*.blue.example:*"]
[[networking.tls.profile]]
destinations = ["https://*.blue.example:*"]
server-subject-names = ["*", "dns:x.example"]

[membership]
source = "dns"
`,
  );
  assert.deepEqual(places, [
    'node.toml:2:1 node-name',
    'node.toml:3:1 data-dir',
    'node.toml:4:1 labels',
    'node.toml:7:1 networking.bind-adress',
    'node.toml:8:1 networking.max-connections',
    'node.toml:9:1 networking.drain-timeout',
    'node.toml:10:1 networking.heartbeat-interval',
    'node.toml:12:1 networking.tls.key-file',
    'node.toml:13:1 networking.tls.mode',
    'node.toml:17:3 networking.tls.ca-file',
    'node.toml:19:55 networking.tls.allowed-subject-names',
    'node.toml:24:17 networking.tls.profile[1].destinations',
    'node.toml:25:25 networking.tls.profile[1].server-subject-names',
    'node.toml:27:1 membership.dns.names',
    'node.toml:28:1 membership.source',
  ]);
});

test('what is missing is reported once, and not again where it could not be read', async t => {
  assert.deepEqual(await placesOf(t, 'node-name = 5\n'), [
    'node.toml:1:1 node-name',
    'node.toml:1:1 cluster-name',
    'node.toml:1:1 data-dir',
  ]);
});

test('a file that is not TOML is reported with the place of the mistake', async t => {
  const [problem] = await problemsOf(t, 'cluster-name = "dev"\nnode-name = node-1\n');
  assert.match(problem?.place ?? '', /^node\.toml:2:\d+$/);
  assert.match(problem?.problem ?? '', /^This is not TOML: .+\.$/);
});

test('a file that cannot be read is a problem of the configuration', async () => {
  await assert.rejects(loadConfig({ file: 'no/such.toml', env: {}, set: [] }), (error: unknown) => {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    assert.match(error.message, /no\/such\.toml: The file cannot be read: .*no such file/);
    return true;
  });
});

test('an unknown key names the nearest known one of its table', async t => {
  const [problem] = await problemsOf(t, `${NODE}${TLS}cert_file = "x"\n`);
  assert.equal(problem?.place, 'node.toml:9:1');
  assert.match(problem?.remedy ?? '', /networking\.tls\.cert-file/);
});

test('a known key in the wrong table names the right one', async t => {
  const [problem] = await problemsOf(t, `${NODE}drain-timeout = "5s"\n`);
  assert.match(problem?.remedy ?? '', /networking\.drain-timeout/);
});

test('sources of members are read with their tables, and what no source uses is a problem', async t => {
  const dns = '[membership.dns]\nnames = "Fabric.prod."\nservers = ["10.0.0.1", "[::1]:5353"]\n';
  const etcd = '[membership.etcd]\nendpoints = ["http://127.0.0.1:2379"]\n';
  const { settings } = await load(t, `${NODE}[membership]\nsource = ["dns", "etcd"]\n${dns}${etcd}`);
  assert.deepEqual(settings.membership?.sources, [
    {
      kind: 'dns',
      names: ['fabric.prod'],
      recordType: 'address',
      port: 5122,
      servers: ['10.0.0.1:53', '[::1]:5353'],
      minTtlMs: 5_000,
      maxTtlMs: 300_000,
      timeoutMs: 5_000,
    },
    {
      kind: 'etcd',
      endpoints: [parseAddress('http://127.0.0.1:2379')],
      prefix: '/selvedge/dev/',
      leaseTtlMs: 30_000,
      leave: 'when-removed',
      requestTimeoutMs: 5_000,
      credentials: undefined,
      allowUnguarded: false,
    },
  ]);
  assert.deepEqual(await placesOf(t, `${NODE}[membership]\nsource = "etcd"\n${dns}${etcd}`), [
    'node.toml:6:1 membership.dns',
  ]);
  assert.deepEqual(await placesOf(t, `${NODE}[membership]\nsource = "dns"\n`), ['node.toml:4:1 membership.dns.names']);
  assert.deepEqual(await placesOf(t, `${NODE}${TLS}[membership]\nsource = "dns"\n${dns}`), [
    'node.toml:10:1 membership.source',
  ]);
});

test('the credentials for etcd are those with which the node dials, where it says no others', async t => {
  const etcd = '[membership]\nsource = "etcd"\n[membership.etcd]\nendpoints = "https://10.0.0.1:2379"\n';
  const { file, settings } = await load(t, `${NODE}${TLS}${etcd}ca-file = "etcd-ca.pem"\n`);
  const [source] = settings.membership?.sources ?? [];
  const { clientCredentials } = settings.tls ?? assert.fail('no TLS');
  assert.ok(source?.kind === 'etcd' && clientCredentials.kind === 'files');
  assert.deepEqual(source.credentials, { ...clientCredentials, caFiles: [join(dirname(file), 'etcd-ca.pem')] });
  const broken =
    '[membership]\nsource = "etcd"\n[membership.etcd]\nendpoints = ["https://a:1", "http://b:2", "c:3"]\nlease-ttl = "2s"\n';
  assert.deepEqual(await placesOf(t, `${NODE}${TLS}${broken}`), [
    'node.toml:12:1 membership.etcd.endpoints',
    'node.toml:12:43 membership.etcd.endpoints',
    'node.toml:13:1 membership.etcd.lease-ttl',
  ]);
});

test('a value where a table is expected, and a table where a list is, are said so', async t => {
  assert.deepEqual(await placesOf(t, `${NODE}networking = "x"\n`), ['node.toml:4:1 networking']);
  assert.deepEqual(await placesOf(t, `${NODE}${TLS}[networking.tls.profile]\ndestinations = ["x"]\n`), [
    'node.toml:9:1 networking.tls.profile',
  ]);
  assert.deepEqual(await placesOf(t, `${NODE}${TLS}profile = [1, { destinations = [] }]\n`), [
    'node.toml:9:12 networking.tls.profile',
    'node.toml:9:17 networking.tls.profile[1].destinations',
  ]);
});

test('options are named as in the file', async t => {
  const problems = await problemsOf(t, `${NODE}[networking]\nheartbeat-timeout = "1s"\n`);
  assert.match(
    problems[0]?.remedy ?? '',
    /networking\.heartbeat-timeout at least twice networking\.heartbeat-interval/,
  );
});

test('warnings have a place too', async t => {
  const { warnings } = await load(
    t,
    `${NODE}networking.advertised-address = ["https://node-1.example"]\n${TLS}mode = "optional"\n`,
  );
  assert.deepEqual(
    warnings.map(({ key, place }) => [key, basename(place)]),
    [['networking.advertised-address', 'node.toml:4:12']],
  );
});

test('the environment overrides the file, and --set overrides both', async t => {
  const source = `${NODE}${TLS}mode = "plain"\n`;
  const env = { SELVEDGE_NETWORKING__TLS__MODE: 'optional' };
  const set = ['networking.tls.mode=strict'];
  assert.equal((await load(t, source)).settings.mode, 'plain');
  assert.equal((await load(t, source, { env })).settings.mode, 'optional');
  assert.equal((await load(t, source, { env, set })).settings.mode, 'strict');
  assert.equal((await load(t, source, { set })).settings.mode, 'strict');
});

test('a value of the file that is overridden is reported as masked, with what overrides it', async t => {
  const env = { SELVEDGE_NETWORKING__TLS__MODE: 'optional', SELVEDGE_LABELS__ROLE: 'edge', SELVEDGE_LOG_LEVEL: 'warn' };
  const set = ['networking.tls.mode=strict', 'node-name=node-2'];
  const { masked, settings } = await load(
    t,
    `labels = { zone = "a", role = "worker" }\n${NODE}${TLS}mode = "plain"\n`,
    {
      env,
      set,
    },
  );
  assert.deepEqual(masked, [
    { key: 'networking.tls.mode', by: '--set' },
    { key: 'labels.role', by: 'SELVEDGE_LABELS__ROLE' },
    { key: 'node-name', by: '--set' },
  ]);
  assert.deepEqual(settings.labels, { zone: 'a', role: 'edge' });
});

test('the place of a wrong override is the variable or --set', async t => {
  const above = { env: { SELVEDGE_NODE_NAME: 'Node_1' }, set: ['networking.drain-timeout=30', 'labels.a=b'] };
  assert.deepEqual(await placesOf(t, NODE, above), ['--set networking.drain-timeout', 'SELVEDGE_NODE_NAME node-name']);
});

test('problems of the environment are reported together with those of the file', async t => {
  const env = { SELVEDGE_NODE_NAEM: 'x' };
  assert.deepEqual(await placesOf(t, `${NODE}nam = 1\n`, { env }), ['node.toml:4:1 nam', 'SELVEDGE_NODE_NAEM ']);
  assert.deepEqual((await placesOf(t, '=\n', { env })).at(-1), 'SELVEDGE_NODE_NAEM ');
});

test('a key called __proto__ is an unknown key and nothing else', async t => {
  assert.deepEqual(await placesOf(t, `${NODE}__proto__ = { polluted = true }\n`), ['node.toml:4:1 __proto__']);
  assert.equal('polluted' in {}, false);
});

test('SPIFFE_ENDPOINT_SOCKET says where the agent is, wherever SPIFFE is asked for and no key says so', async t => {
  const tables = `[networking.tls]\nsource = "auto"\nallowed-subject-names = ["*"]
[networking.tls.client]\nsource = "spiffe"
[[networking.tls.profile]]\ndestinations = ["a"]\nworkload-api-socket = "own.sock"
[[networking.tls.profile]]\ndestinations = ["b"]\nsource = "directory"\ndirectory = "svids"\n`;
  const env = { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock' };
  const { settings, file } = await load(t, NODE + tables, { env });
  const { tls } = settings;
  assert.ok(tls?.serverCredentials.kind === 'auto');
  const spiffe = { kind: 'spiffe', caFiles: [], crlFiles: [] };
  assert.deepEqual(tls.serverCredentials.places[0], { ...spiffe, socketPath: '/run/agent.sock' });
  assert.deepEqual(tls.clientCredentials, { ...spiffe, socketPath: '/run/agent.sock' });
  assert.deepEqual(
    tls.profiles.map(({ credentials }) => credentials),
    [
      { ...spiffe, socketPath: join(dirname(file), 'own.sock') },
      { kind: 'directory', directory: join(dirname(file), 'svids'), caFiles: [], crlFiles: [] },
    ],
  );
  assert.deepEqual(await placesOf(t, NODE + tables), ['node.toml:7:1 networking.tls.client.workload-api-socket']);
  const wrong = { env: { SPIFFE_ENDPOINT_SOCKET: 'tcp://127.0.0.1:1' } };
  const [problem] = await problemsOf(t, NODE + tables, wrong);
  assert.deepEqual([problem?.place, problem?.key], ['SPIFFE_ENDPOINT_SOCKET', 'networking.tls.workload-api-socket']);
});

test('a plaintext-deadline is an offset date-time, in the file and above it', async t => {
  const optional = `${NODE}${TLS}mode = "optional"\n`;
  const key = 'networking.tls.plaintext-deadline';
  const inFile = await load(t, `${optional}plaintext-deadline = 2027-01-31T13:00:00+01:00\n`);
  assert.deepEqual(inFile.settings.tls?.plaintextDeadline, new Date('2027-01-31T12:00:00Z'));
  const above = await load(t, optional, { set: [`${key}=2027-01-31T12:00:00Z`] });
  assert.deepEqual(above.settings.tls?.plaintextDeadline, inFile.settings.tls?.plaintextDeadline);
  for (const value of ['2027-01-31T12:00:00', '2027-01-31', '"2027-01-31T12:00:00Z"', '12:00:00', '1']) {
    const [problem, ...others] = await problemsOf(t, `${optional}plaintext-deadline = ${value}\n`);
    assert.deepEqual([problem?.place, problem?.key, others], ['node.toml:10:1', key, []], value);
    assert.match(problem?.problem ?? '', /is not a date and time with its zone/);
  }
  const [strict] = await problemsOf(t, `${NODE}${TLS}plaintext-deadline = 2027-01-31T12:00:00Z\n`);
  assert.match(strict?.problem ?? '', /It ends the mode optional, and the mode is strict/);
  const unix = `${NODE}[networking]\nbind-address = "unix:fabric.sock"\n${optional.slice(NODE.length)}`;
  const [bound] = await problemsOf(t, `${unix}plaintext-deadline = 2027-01-31T12:00:00Z\n`);
  assert.match(bound?.problem ?? '', /bound to a unix socket/);
});
