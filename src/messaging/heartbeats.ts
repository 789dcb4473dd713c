import type { HeartbeatOptions } from './silence-estimate.ts';

/** What the clock of all streams knows of one, and tells it. */
export interface Beating {
  /** Grows with each frame that was sent. */
  readonly framesSent: number;
  /** Grows with each frame that came in. */
  readonly framesSeen: number;
  /** A heartbeat is due. */
  beat(): void;
  /** Nothing came in for the timeout. Told again after another timeout. */
  fellSilent(): void;
}

export interface HeartbeatsParts {
  /** Milliseconds that only grow. Default: those of the process. */
  readonly clock?: () => number;
  /** From 0 to 1, 1 excluded. */
  readonly random?: () => number;
}

/** Turns of the timer in one interval. */
const TURNS = 8;

interface Heard {
  sent: number;
  seen: number;
  /** When the next heartbeat is due if nothing else is sent until then. */
  dueAtMs: number;
  silentAtMs: number;
}

/**
 * The heartbeats of all streams of a node, and their silence, by one timer: what it costs to hold a stream open grows
 * with nothing but the number of streams.
 *
 * H1. Any frame is a sign of life: a stream over which something was sent within the interval gets no heartbeat.
 * H2. Streams that open in one turn do not beat in one turn: the first heartbeat of each comes anywhere in the interval.
 * H3. No frame costs a look at the clock: times are as exact as an eighth of the interval.
 */
export class Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #turnMs: number;
  readonly #streams = new Map<Beating, Heard>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeartbeatOptions, { clock, random }: HeartbeatsParts = {}) {
    this.#options = options;
    this.#clock = clock ?? (() => performance.now());
    this.#random = random ?? Math.random;
    this.#turnMs = options.heartbeatIntervalMs / TURNS;
  }

  get timeoutMs(): number {
    return this.#options.heartbeatTimeoutMs;
  }

  add(stream: Beating): void {
    const now = this.#clock();
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#options;
    const dueAtMs = now + this.#turnMs / 2 + heartbeatIntervalMs * this.#random();
    const silentAtMs = now + heartbeatTimeoutMs;
    this.#streams.set(stream, { sent: stream.framesSent, seen: stream.framesSeen, dueAtMs, silentAtMs });
    this.#timer ??= setInterval(() => this.look(), this.#turnMs).unref();
  }

  remove(stream: Beating): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** What the timer does each turn. */
  look(): void {
    const now = this.#clock();
    for (const [stream, heard] of this.#streams) {
      this.#lookAtSent(stream, heard, now);
      this.#lookAtSeen(stream, heard, now);
    }
  }

  #lookAtSent(stream: Beating, heard: Heard, now: number): void {
    const { heartbeatIntervalMs } = this.#options;
    // What was sent since the last turn may have been sent right after it.
    if (stream.framesSent !== heard.sent) heard.dueAtMs = now + heartbeatIntervalMs - this.#turnMs;
    else if (now >= heard.dueAtMs - this.#turnMs / 2) {
      heard.dueAtMs = now + heartbeatIntervalMs;
      stream.beat();
    }
    heard.sent = stream.framesSent;
  }

  #lookAtSeen(stream: Beating, heard: Heard, now: number): void {
    const isSilent = stream.framesSeen === heard.seen && now >= heard.silentAtMs;
    if (stream.framesSeen !== heard.seen || isSilent) heard.silentAtMs = now + this.#options.heartbeatTimeoutMs;
    heard.seen = stream.framesSeen;
    if (isSilent) stream.fellSilent();
  }
}
