import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LivenessState } from '../../src/index.ts';
import { until } from '../kit/until.ts';
import type { AgentCommand, AgentConfig, AgentReport } from './agent.ts';
import { type Entry, JournalReader, nowMs } from './journal.ts';
import type { ProcessJournal } from './ledger.ts';
import type { Host } from './network.ts';
import type { Burst, TrafficPlan } from './traffic.ts';

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url));
/** No process takes longer for anything, however slow the machine is. */
const DEADLINE_MS = 60_000;

/** What a process thought of another node. */
export type Life = Extract<Entry, { what: 'member' }>;

/** One process of a node, in the namespace of a host, and what was done to it. */
export class NodeProcess {
  readonly host: Host;
  readonly #process: ChildProcess;
  readonly #journal: JournalReader;
  readonly #pauses: { fromMs: number; toMs: number }[] = [];
  readonly #reports: AgentReport[] = [];
  readonly #exited: Promise<unknown>;
  #killedAtMs: number | undefined;
  #words = '';

  /** Starts a process; its node serves when {@link ready} resolves. @param file where its configuration is to lie. */
  constructor(host: Host, file: string, config: AgentConfig) {
    writeFileSync(file, JSON.stringify(config));
    this.host = host;
    this.#journal = new JournalReader(config.journal);
    // `ip netns exec` becomes the program that it starts: the process id is that of the node.
    const node = [process.execPath, '--import', 'tsx', AGENT, file];
    this.#process = spawn('ip', ['netns', 'exec', host.namespace, ...node], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      detached: true,
    });
    this.#exited = once(this.#process, 'exit');
    this.#process.on('message', (report: AgentReport) => this.#reports.push(report));
    this.#process.stderr?.on('data', chunk => {
      this.#words += chunk;
    });
  }

  get name(): string {
    return this.host.name;
  }

  /** Whether it was neither killed nor drained. */
  get isServing(): boolean {
    return this.#killedAtMs === undefined && !this.#reports.includes('drained');
  }

  get journal(): readonly Entry[] {
    return this.#journal.entries;
  }

  /** For the ledger. */
  get account(): ProcessJournal {
    const entries = this.journal;
    const started = entries.find(entry => entry.what === 'started');
    return {
      node: this.name,
      generation: started?.generation ?? 0,
      entries,
      killedAtMs: this.#killedAtMs,
      pauses: this.#pauses,
    };
  }

  ready(): Promise<void> {
    return this.#reported('ready');
  }

  startTraffic(plan: TrafficPlan): void {
    this.#tell({ command: 'start', plan });
  }

  /** Sends as many messages in one turn. */
  burst(burst: Burst): void {
    this.#tell({ command: 'burst', burst });
  }

  /** Sends nothing more. Resolves when all that was sent has ended. */
  stopTraffic(): Promise<void> {
    this.#tell({ command: 'stop' });
    return this.#reported('stopped');
  }

  /** Drains its node. Resolves when that has closed and all that was sent has ended. */
  drain(): Promise<void> {
    this.#tell({ command: 'drain' });
    return this.#reported('drained');
  }

  /** SIGSTOP: it runs no more, and its connections stay open. */
  pause(): void {
    this.#pauses.push({ fromMs: nowMs(), toMs: Infinity });
    this.#process.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#process.kill('SIGCONT');
    const pause = this.#pauses.at(-1);
    if (pause !== undefined) pause.toMs = nowMs();
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await this.#exited;
    }
    if (this.isServing) this.#killedAtMs = nowMs();
  }

  /** Waits until the journal, from entry `since` on, holds `count` entries that match. */
  journaled(what: string, matches: (entry: Entry) => boolean, since = 0, count = 1): Promise<void> {
    return this.#until(what, () => this.journal.slice(since).filter(matches).length >= count);
  }

  /** Waits for as many answers of another node from now on. */
  answeredBy(node: string, count = 20): Promise<void> {
    const isAnswer = (entry: Entry) =>
      entry.what === 'settled' && entry.outcome.kind === 'answered' && entry.outcome.by.node === node;
    return this.journaled(`${count} answers of ${node}`, isAnswer, this.journal.length, count);
  }

  /** Waits until another node is held for that. */
  sees(node: string, state: LivenessState): Promise<void> {
    return this.#until(`${node} ${state}`, () => this.livesOf(node).at(-1)?.state === state);
  }

  /** Whether another node lived, in order, from the first time on that it did. */
  livesOf(node: string): readonly Life[] {
    const lives = this.journal.filter(entry => entry.what === 'member').filter(entry => entry.node === node);
    return lives.slice(lives.findIndex(({ state }) => state === 'alive'));
  }

  #tell(command: AgentCommand): void {
    this.#process.send(command);
  }

  #reported(report: AgentReport): Promise<void> {
    return this.#until(report, () => this.#reports.includes(report));
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    await until(
      `${what} of ${this.name}`,
      () => {
        const { exitCode, signalCode } = this.#process;
        if (exitCode !== null || signalCode !== null)
          throw new Error(`${this.name} ended with ${exitCode ?? signalCode} before ${what}: ${this.#words.trim()}`);
        return condition();
      },
      DEADLINE_MS,
    );
  }
}
