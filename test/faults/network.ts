import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROUTER = fileURLToPath(new URL('router.py', import.meta.url));
const run = promisify(execFile);
let networks = 0;

/** A host: a network namespace with one address. */
export interface Host {
  readonly name: string;
  /** For `ip netns exec`. */
  readonly namespace: string;
  /** IPv4. */
  readonly address: string;
}

/** What becomes of the packets from one host to another. */
export interface Impairment {
  /** The part of the packets that is lost: 0 to 1. */
  readonly loss: number;
  /** How long each packet is on its way. */
  readonly delayMs: number;
}

/** The way of packets from one host to another. */
interface Link extends Impairment {
  readonly from: string;
  readonly to: string;
  readonly cut: boolean;
}

/** Packets that one host sent to another so far. */
export interface LinkCount {
  readonly from: string;
  readonly to: string;
  readonly passed: number;
  readonly dropped: number;
}

/**
 * Hosts in network namespaces, and a network between them that can be made bad. It reaches nothing else. What still runs
 * in the namespaces is killed with it; it ends with this process, however that ends.
 */
export class Network implements AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly #router: Router;
  #links: readonly Link[];

  /** @param names of the hosts. Rejects where {@link obstacle} names one. */
  static async create(names: readonly string[]): Promise<Network> {
    networks += 1;
    const router = new Router([`selvedge-${process.pid}-${networks}`, ...names]);
    const { hosts } = await router.next<{ hosts: Record<string, Omit<Host, 'name'>> }>();
    return new Network(
      Object.entries(hosts).map(([name, host]) => ({ name, ...host })),
      router,
    );
  }

  /** Why there can be no such network on this machine; undefined where there can. */
  static async obstacle(): Promise<string | undefined> {
    if (process.platform !== 'linux') return `needs the network namespaces of Linux, and this is ${process.platform}`;
    for (const [command, argument, what] of [
      ['python3', '--version', 'python3'],
      ['ip', '-Version', 'iproute2'],
    ] as const) {
      const isThere = await run(command, [argument]).then(
        () => true,
        () => false,
      );
      if (!isThere) return `needs ${what}`;
    }
    try {
      await using _network = await Network.create(['a', 'b']);
      return undefined;
    } catch (error) {
      return `needs network namespaces and TUN devices, so root: ${error instanceof Error ? error.message : error}`;
    }
  }

  private constructor(hosts: readonly Host[], router: Router) {
    this.hosts = hosts;
    this.#router = router;
    const names = hosts.map(({ name }) => name);
    this.#links = names.flatMap(from =>
      names.filter(to => to !== from).map(to => ({ from, to, cut: false, loss: 0, delayMs: 0 })),
    );
  }

  host(name: string): Host {
    const found = this.hosts.find(host => host.name === name);
    if (found === undefined) throw new TypeError(`no host ${name}`);
    return found;
  }

  /** No packet passes between the two any more, and neither is told. */
  cut(a: string, b: string): Promise<void> {
    return this.#change(link => (isBetween(link, a, b) ? { ...link, cut: true } : link));
  }

  /** `to` hears `from` no more; the other way stays as it is. */
  cutOneWay(from: string, to: string): Promise<void> {
    return this.#change(link => (link.from === from && link.to === to ? { ...link, cut: true } : link));
  }

  /** Packets pass again between the two, in both directions. */
  heal(a: string, b: string): Promise<void> {
    return this.#change(link => (isBetween(link, a, b) ? { ...link, cut: false } : link));
  }

  /** Makes every link as bad as this, in each direction, from now on. */
  impair({ loss, delayMs }: Impairment): Promise<void> {
    return this.#change(link => ({ ...link, loss, delayMs }));
  }

  /** Of each link, since the network was created. */
  async counts(): Promise<readonly LinkCount[]> {
    return (await this.#router.ask<{ links: LinkCount[] }>({ set: [] })).links;
  }

  /** Kills what runs in the namespaces and deletes them. */
  close(): Promise<void> {
    return this.#router.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #change(become: (link: Link) => Link): Promise<void> {
    this.#links = this.#links.map(become);
    const set = this.#links.map(({ delayMs, ...link }) => ({ ...link, delay: delayMs / 1000 }));
    await this.#router.ask({ set });
  }
}

function isBetween({ from, to }: Link, a: string, b: string): boolean {
  return (from === a && to === b) || (from === b && to === a);
}

/** The process of `router.py`: a line for a line, in order. */
class Router {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #said = '';

  constructor(args: readonly string[]) {
    // A group of its own: Ctrl-C on a terminal is for this process, which closes it.
    this.#process = spawn('python3', [ROUTER, ...args], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const { stdin, stdout, stderr } = this.#process;
    stdin?.on('error', () => {});
    stderr?.on('data', chunk => {
      this.#said += chunk;
    });
    if (stdout !== null) createInterface({ input: stdout }).on('line', line => this.#waiting.shift()?.resolve(line));
    this.#ended = once(this.#process, 'close').then(([code]) => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(this.#lastWords()));
      if (code !== 0) throw new Error(`the router ended with ${code}: ${this.#lastWords()}`);
    });
    // Awaited by close(), if it is called at all.
    this.#ended.catch(() => {});
  }

  ask<Answer>(question: unknown): Promise<Answer> {
    this.#process.stdin?.write(`${JSON.stringify(question)}\n`);
    return this.next();
  }

  /** The next line that nobody waits for yet. */
  next<Answer>(): Promise<Answer> {
    return new Promise<string>((resolve, reject) => {
      if (this.#process.exitCode === null) this.#waiting.push({ resolve, reject });
      else reject(new Error(this.#lastWords()));
    }).then(line => JSON.parse(line));
  }

  async close(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
  }

  #lastWords(): string {
    return this.#said.trim().split('\n').at(-1) ?? '';
  }
}
