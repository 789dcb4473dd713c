import { PRIORITIES, type Priority } from '../../src/exchange/request-route.ts';
import { deliveryId, type JournalWriter, messageId, type Outcome, type ProcessName, type Way } from './journal.ts';
import { encodeMessage } from './payload.ts';
import type { Publisher, Sender } from './senders.ts';

/** What an agent sends. */
export interface TrafficPlan {
  /** Messages in a second, to all peers together. */
  readonly rate: number;
  readonly timeoutMs: number;
  readonly bulkBytes: number;
  /** One of so many messages is a large one of bulk priority. Default none. */
  readonly largeEvery?: number;
}

/** Large requests of bulk priority that are sent in one turn. */
export interface Burst {
  readonly to: string;
  readonly count: number;
  readonly timeoutMs: number;
}

export interface TrafficParts {
  readonly self: ProcessName;
  readonly peers: readonly string[];
  readonly senders: ReadonlyMap<Way, Sender>;
  readonly publish: Publisher;
  readonly journal: JournalWriter;
}

const TICK_MS = 20;
const SMALL_BYTES = 128;
/** Goes in several batches. */
const LARGE_BYTES = 300 * 1_024;

/** Sends to each peer, in turn, messages of every way and priority, and journals how each of them ends. */
export class Traffic {
  readonly #parts: TrafficParts;
  readonly #ways: readonly Way[];
  readonly #running = new Set<Promise<void>>();
  #plan: TrafficPlan | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastNumber = 0;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
    this.#ways = [...parts.senders.keys(), 'publish'];
  }

  start(plan: TrafficPlan): void {
    this.#plan = plan;
    const perTick = Math.max(1, Math.round((plan.rate * TICK_MS) / 1000));
    // What a late tick missed is not made up for: a process that was stopped must not come back with a flood.
    this.#timer = setInterval(() => {
      for (let sent = 0; sent < perTick; sent += 1) this.#sendNext(plan);
    }, TICK_MS);
  }

  burst({ to, count, timeoutMs }: Burst): void {
    for (let sent = 0; sent < count; sent += 1) {
      this.#lastNumber += 1;
      this.#send('request', [to], 'bulk', LARGE_BYTES, timeoutMs);
    }
  }

  /** Sends nothing more. Resolves when all that was sent has ended. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  /** As {@link end}, and a last message of each kind to each peer: what was sent before over the same stream came before. */
  async stop(): Promise<void> {
    await this.end();
    const kinds = this.#parts.peers.length * this.#ways.length * PRIORITIES.length;
    for (let sent = 0; sent < kinds && this.#plan !== undefined; sent += 1) this.#sendNext(this.#plan);
    await this.end();
  }

  #sendNext({ timeoutMs, bulkBytes, largeEvery }: TrafficPlan): void {
    const { peers } = this.#parts;
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const turn = Math.floor(number / peers.length);
    const way = pick(this.#ways, turn);
    const to = way === 'publish' ? peers : [pick(peers, number)];
    if (largeEvery !== undefined && number % largeEvery === 0)
      return this.#send(way, to, 'bulk', LARGE_BYTES, timeoutMs);
    const priority = pick(PRIORITIES, Math.floor(turn / this.#ways.length));
    this.#send(way, to, priority, priority === 'bulk' ? bulkBytes : SMALL_BYTES, timeoutMs);
  }

  /** The message with the last number. */
  #send(way: Way, to: readonly string[], priority: Priority, size: number, timeoutMs: number): void {
    const { self, journal } = this.#parts;
    const id = messageId(self, this.#lastNumber);
    for (const peer of to)
      journal.write({ what: 'sent', id: entryId(way, id, peer), to: peer, way, priority, timeoutMs });
    const end = this.#outcomes(way, to, { id, bytes: encodeMessage(id, size), priority, timeoutMs }).then(outcomes => {
      for (const [peer, outcome] of outcomes) journal.write({ what: 'settled', id: entryId(way, id, peer), outcome });
    });
    this.#running.add(end);
    void end.then(() => this.#running.delete(end));
  }

  async #outcomes(
    way: Way,
    to: readonly string[],
    message: Parameters<Publisher>[0],
  ): Promise<ReadonlyMap<string, Outcome>> {
    const { senders, publish } = this.#parts;
    if (way === 'publish') return publish(message);
    const [peer = ''] = to;
    const send = senders.get(way);
    if (send === undefined) throw new TypeError(`no way ${way}`);
    return new Map([[peer, await send({ ...message, to: peer })]]);
  }
}

function entryId(way: Way, id: string, peer: string): string {
  return way === 'publish' ? deliveryId(id, peer) : id;
}

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index % values.length];
  if (value === undefined) throw new TypeError('nothing to pick from');
  return value;
}
