import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../kit/until.ts';

// A SPIRE server and agents as processes of their own: join tokens attest the agents, and the user id the workloads.
const run = promisify(execFile);

export const SPIRE_VERSION = 'v1.13.3';
export const TRUST_DOMAIN = 'selvedge.test';
/** For whatever needs a process to start or an agent to look again (every 5 s). */
export const DEADLINE_MS = 120_000;

const COMMANDS = ['spire-server', 'spire-agent'] as const;

/**
 * The directory of `spire-server` and `spire-agent`: SPIRE_BIN_DIR, or else built from the Go module proxy and kept in
 * the cache of the user, which takes minutes the first time.
 * @throws where they cannot be had, saying why.
 */
export async function findSpire(): Promise<string> {
  const given = process.env.SPIRE_BIN_DIR;
  if (given !== undefined && given !== '') {
    await Promise.all(COMMANDS.map(command => access(join(given, command))));
    return given;
  }
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'selvedge', `spire-${SPIRE_VERSION}`);
  const bin = join(cache, 'bin');
  const isThere = await Promise.all(COMMANDS.map(command => access(join(bin, command)))).then(
    () => true,
    () => false,
  );
  if (!isThere) await build(cache, bin);
  return bin;
}

/** By way of a module of its own: `go install path@version` refuses modules with replace directives, as SPIRE is one. */
async function build(cache: string, bin: string): Promise<void> {
  await mkdir(bin, { recursive: true });
  await rm(join(cache, 'go.mod'), { force: true });
  const options = { cwd: cache, env: { ...process.env, GOBIN: bin }, maxBuffer: 64 * 1024 * 1024 };
  await run('go', ['mod', 'init', 'selvedge.test/spire'], options);
  const paths = COMMANDS.map(command => `github.com/spiffe/spire/cmd/${command}`);
  for (const path of paths) await run('go', ['get', '-tool', `${path}@${SPIRE_VERSION}`], options);
  await run('go', ['install', ...paths], options);
}

export interface EntryRequest {
  /** The agent whose workloads get it. */
  readonly agent: string;
  readonly path: string;
  readonly ttlSeconds: number;
  readonly federatesWith?: readonly string[];
}

/** A running process whose output lies in a file. */
interface Running {
  stop(): Promise<void>;
}

/** Starts a SPIRE server on a free loopback port in `directory`. */
export async function startSpireServer(bin: string, directory: string, port: number): Promise<SpireServer> {
  const socket = join(directory, 'server.sock');
  await writeFile(
    join(directory, 'server.conf'),
    `server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${socket}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${directory}"
  log_level = "DEBUG"
  ca_ttl = "1h"
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${join(directory, 'datastore.sqlite3')}"
    }
  }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`,
  );
  const process = start(
    join(bin, 'spire-server'),
    ['run', '-config', join(directory, 'server.conf')],
    directory,
    'server',
  );
  const server = new SpireServer(bin, directory, port, socket, process);
  await until('the server is healthy', () => server.isHealthy(), DEADLINE_MS);
  return server;
}

export class SpireServer {
  readonly #bin: string;
  readonly #directory: string;
  readonly #port: number;
  readonly #socket: string;
  readonly #process: Running;

  constructor(bin: string, directory: string, port: number, socket: string, process: Running) {
    this.#bin = bin;
    this.#directory = directory;
    this.#port = port;
    this.#socket = socket;
    this.#process = process;
  }

  async isHealthy(): Promise<boolean> {
    return this.#command('healthcheck').then(
      () => true,
      () => false,
    );
  }

  /** The root certificates of the trust domain, PEM. */
  bundle(): Promise<string> {
    return this.#command('bundle', 'show', '-format', 'pem');
  }

  /** Takes `pem` as the bundle of another trust domain. */
  async federate(trustDomain: string, pem: string): Promise<void> {
    const file = join(this.#directory, `${trustDomain}.pem`);
    await writeFile(file, pem);
    await this.#command('bundle', 'set', '-id', `spiffe://${trustDomain}`, '-format', 'pem', '-path', file);
  }

  /** Registers whoever runs as our user on the machine of an agent. Returns what {@link deleteEntry} wants. */
  async createEntry({ agent, path, ttlSeconds, federatesWith = [] }: EntryRequest): Promise<string> {
    const output = await this.#command(
      'entry',
      'create',
      '-output',
      'json',
      ...['-parentID', `spiffe://${TRUST_DOMAIN}/host/${agent}`],
      ...['-spiffeID', `spiffe://${TRUST_DOMAIN}${path}`],
      ...['-selector', `unix:uid:${process.getuid?.() ?? 0}`],
      ...['-x509SVIDTTL', String(ttlSeconds)],
      ...federatesWith.flatMap(trustDomain => ['-federatesWith', `spiffe://${trustDomain}`]),
    );
    const { results }: { results: { entry: { id: string } }[] } = JSON.parse(output);
    const id = results[0]?.entry?.id;
    if (id === undefined) throw new Error(`no entry was created: ${output}`);
    return id;
  }

  /** Nothing where it is gone already. */
  async deleteEntry(id: string): Promise<void> {
    const output = await this.#command('entry', 'show', '-entryID', id).catch(() => '');
    if (output.includes(id)) await this.#command('entry', 'delete', '-entryID', id);
  }

  /** Makes an agent known, which is then `spiffe://{TRUST_DOMAIN}/host/{name}`, and starts it. */
  async startAgent(name: string): Promise<SpireAgent> {
    const directory = join(this.#directory, name);
    await mkdir(directory);
    const bundle = join(directory, 'bundle.pem');
    await writeFile(bundle, await this.bundle());
    const spiffeId = `spiffe://${TRUST_DOMAIN}/host/${name}`;
    const { value: token }: { value: string } = JSON.parse(
      await this.#command('token', 'generate', '-spiffeID', spiffeId, '-output', 'json'),
    );
    const socketPath = join(directory, 'agent.sock');
    const config = join(directory, 'agent.conf');
    await writeFile(
      config,
      `agent {
  data_dir = "${directory}"
  log_level = "DEBUG"
  server_address = "127.0.0.1"
  server_port = "${this.#port}"
  socket_path = "${socketPath}"
  trust_domain = "${TRUST_DOMAIN}"
  trust_bundle_path = "${bundle}"
  join_token = "${token}"
}
plugins {
  KeyManager "disk" { plugin_data { directory = "${directory}" } }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`,
    );
    const agent = new SpireAgent(name, this.#bin, directory, config, socketPath);
    await agent.start();
    return agent;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #command(...args: string[]): Promise<string> {
    const verbs = args.findIndex(arg => arg.startsWith('-'));
    const at = verbs < 0 ? args.length : verbs;
    const all = [...args.slice(0, at), '-socketPath', this.#socket, ...args.slice(at)];
    return (await run(join(this.#bin, 'spire-server'), all)).stdout;
  }
}

export class SpireAgent {
  readonly name: string;
  readonly socketPath: string;
  readonly #bin: string;
  readonly #directory: string;
  readonly #config: string;
  #process: Running | undefined;

  constructor(name: string, bin: string, directory: string, config: string, socketPath: string) {
    this.name = name;
    this.#bin = bin;
    this.#directory = directory;
    this.#config = config;
    this.socketPath = socketPath;
  }

  /** Resolves once it is attested and serves. */
  async start(): Promise<void> {
    const command = join(this.#bin, 'spire-agent');
    this.#process = start(command, ['run', '-config', this.#config], this.#directory, 'agent');
    const isHealthy = () =>
      run(command, ['healthcheck', '-socketPath', this.socketPath]).then(
        () => true,
        () => false,
      );
    await until('the agent is healthy', isHealthy, DEADLINE_MS);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }
}

function start(command: string, args: readonly string[], directory: string, name: string): Running {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = join(directory, `${name}.log`);
  let writing = Promise.resolve();
  const write = (data: Buffer) => {
    writing = writing.then(() => appendFile(log, data)).catch(() => {});
  };
  child.stdout.on('data', write);
  child.stderr.on('data', write);
  const exit = once(child, 'exit');
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await exit;
      await writing;
    },
  };
}
