import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { NodeReady } from '../../src/index.ts';
import { programOf } from './programs.ts';

const DEADLINE_MS = 60_000;

/** One JSON line of a daemon's log. */
export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface DaemonOptions {
  readonly config: string;
  /** `KEY=VALUE` overrides. */
  readonly set?: readonly string[];
  /** Added to an environment without `SELVEDGE_` variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another program that runs a daemon, and its arguments. Default: `selvedge run --config CONFIG`. */
  readonly program?: readonly string[];
}

/** A `selvedge run` process from this source tree, seen as an operator sees it: by its log, its signals, its exit code. */
export class Daemon {
  readonly lines: LogLine[] = [];
  readonly pid: number;
  readonly exited: Promise<number>;
  exitCode: number | undefined;
  stderr = '';
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();

  /** Starts the process; does not wait until it serves. */
  constructor({ config, set = [], env = {}, program }: DaemonOptions) {
    const command =
      program === undefined ? [...programOf('selvedge'), 'run', '--config', config] : ['--import', 'tsx', ...program];
    const overrides = set.flatMap(entry => ['--set', entry]);
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SELVEDGE_')));
    this.#child = spawn(process.execPath, [...command, ...overrides], {
      env: { ...clean, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C on a terminal reaches whole process groups; a daemon is told to stop once, by the one who started it.
      detached: true,
    });
    this.pid = this.#child.pid ?? 0;
    // Whatever becomes of the one who started it, the daemon does not stay behind.
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on('line', line => this.#read(line));
    this.#child.stderr?.on('data', chunk => {
      this.stderr += chunk;
    });
    this.exited = new Promise(resolve => {
      this.#child.once('close', code => {
        process.off('exit', kill);
        this.exitCode = code ?? 128;
        resolve(this.exitCode);
        for (const watcher of this.#watchers) watcher();
      });
    });
  }

  /** Starts the process and waits for `node.ready`. Rejects with what it said when it exits before. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    await daemon.waitFor('node.ready');
    return daemon;
  }

  get ready(): NodeReady {
    const line = this.lines.find(each => each.event === 'node.ready');
    if (line === undefined) throw new Error('the daemon is not ready');
    return line as LogLine & NodeReady;
  }

  /** The first line of an event, from `since` (an index into `lines`) on, that `matches`; waits for it. */
  async waitFor(event: string, matches: (line: LogLine) => boolean = () => true, since = 0): Promise<LogLine> {
    const find = () => this.lines.slice(since).find(line => line.event === event && matches(line));
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        action();
      };
      const look = () => {
        const line = find();
        if (line !== undefined) settle(() => resolve(line));
        else if (this.exitCode !== undefined)
          settle(() => reject(new Error(`exited with ${this.exitCode} before ${event}: ${this.stderr.trim()}`)));
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`no ${event} within ${DEADLINE_MS} ms`))),
        DEADLINE_MS,
      );
      this.#watchers.add(look);
      look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, then waits for the end; resolves with the exit code. */
  async stop(): Promise<number> {
    if (this.exitCode === undefined) this.signal('SIGTERM');
    return this.exited;
  }

  #read(text: string): void {
    try {
      this.lines.push(JSON.parse(text));
    } catch {
      this.lines.push({ event: 'not-json', text });
    }
    for (const watcher of [...this.#watchers]) watcher();
  }
}
