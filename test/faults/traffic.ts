import { PRIORITIES } from '../../src/exchange/request-route.ts';
import { type JournalWriter, messageId, type ProcessName, type Way } from './journal.ts';
import { encodeMessage } from './payload.ts';
import type { OutgoingMessage, Sender } from './senders.ts';

/** What an agent sends. */
export interface TrafficPlan {
  /** Messages in a second, to all peers together. */
  readonly rate: number;
  readonly timeoutMs: number;
  readonly bulkBytes: number;
}

const TICK_MS = 20;
const SMALL_BYTES = 128;

/** Sends to each peer, in turn, messages of every way and priority, and journals how each of them ends. */
export class Traffic {
  readonly #self: ProcessName;
  readonly #peers: readonly string[];
  readonly #senders: readonly (readonly [Way, Sender])[];
  readonly #journal: JournalWriter;
  readonly #running = new Set<Promise<void>>();
  #plan: TrafficPlan | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastNumber = 0;

  constructor(self: ProcessName, peers: readonly string[], senders: ReadonlyMap<Way, Sender>, journal: JournalWriter) {
    this.#self = self;
    this.#peers = peers;
    this.#senders = [...senders];
    this.#journal = journal;
  }

  start(plan: TrafficPlan): void {
    this.#plan = plan;
    const perTick = Math.max(1, Math.round((plan.rate * TICK_MS) / 1000));
    // What a late tick missed is not made up for: a process that was stopped must not come back with a flood.
    this.#timer = setInterval(() => {
      for (let sent = 0; sent < perTick; sent += 1) this.#sendNext(plan);
    }, TICK_MS);
  }

  /** Sends nothing more. Resolves when all that was sent has ended. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  /** As {@link end}, and a last message of each kind to each peer: what was sent before over the same stream came before. */
  async stop(): Promise<void> {
    await this.end();
    const kinds = this.#peers.length * this.#senders.length * PRIORITIES.length;
    for (let sent = 0; sent < kinds && this.#plan !== undefined; sent += 1) this.#sendNext(this.#plan);
    await this.end();
  }

  #sendNext({ timeoutMs, bulkBytes }: TrafficPlan): void {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const id = messageId(this.#self, number);
    const to = pick(this.#peers, number);
    const turn = Math.floor(number / this.#peers.length);
    const [way, send] = pick(this.#senders, turn);
    const priority = pick(PRIORITIES, Math.floor(turn / this.#senders.length));
    const bytes = encodeMessage(id, priority === 'bulk' ? bulkBytes : SMALL_BYTES);
    this.#journal.write({ what: 'sent', id, to, way, priority, timeoutMs });
    const end = this.#follow(send, { id, to, bytes, priority, timeoutMs });
    this.#running.add(end);
    void end.then(() => this.#running.delete(end));
  }

  async #follow(send: Sender, message: OutgoingMessage): Promise<void> {
    const outcome = await send(message);
    this.#journal.write({ what: 'settled', id: message.id, outcome });
  }
}

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index % values.length];
  if (value === undefined) throw new TypeError('nothing to pick from');
  return value;
}
