import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { LivenessState, Priority } from '../../src/index.ts';

/** How a message goes: a request that is answered, a one-way message to one peer or to all, or a unary gRPC call. */
export type Way = 'request' | 'send' | 'publish' | 'call';

/** One process of a node. */
export interface ProcessName {
  readonly node: string;
  readonly generation: number;
}

/** How a message ended for the one who sent it. */
export type Outcome =
  /** A request or a call; the answer says who gave it. */
  | { readonly kind: 'answered'; readonly by: ProcessName }
  /** A one-way message. */
  | { readonly kind: 'taken' }
  /** `safeToRetry` is undefined for calls: a status does not say it. */
  | {
      readonly kind: 'failed';
      readonly reason: string;
      readonly detail: string;
      readonly safeToRetry: boolean | undefined;
    };

/** What one process saw. Ids are those of {@link messageId}, of
 * what is published those of {@link deliveryId}. Times are of a clock that all processes of a machine share. */
export type Entry = { readonly atMs: number } & (
  | { readonly what: 'started'; readonly generation: number }
  | {
      readonly what: 'sent';
      readonly id: string;
      readonly to: string;
      readonly way: Way;
      readonly priority: Priority;
      readonly timeoutMs: number;
    }
  | { readonly what: 'settled'; readonly id: string; readonly outcome: Outcome }
  /** Written before the message is answered. */
  | {
      readonly what: 'received';
      readonly id: string;
      /** Who sent it, by its certificate. */
      readonly from: string;
      readonly way: Way;
      readonly priority: Priority | undefined;
    }
  /** Another peer stream of the node took the place of the one that was used. */
  | { readonly what: 'stream_replaced'; readonly node: string }
  /** Whether another node lives, at first and when that changes. */
  | {
      readonly what: 'member';
      readonly node: string;
      readonly state: LivenessState;
      readonly reason: string;
      readonly generation: number | undefined;
    }
);

/** `Omit` of each alternative. */
export type EntryFacts = Entry extends infer E ? (E extends Entry ? Omit<E, 'atMs'> : never) : never;

/** Milliseconds of the monotonic clock of the machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Unique among all messages of all processes, and in the order in which a process sends: `node-1/3/42`. */
export function messageId({ node, generation }: ProcessName, number: number): string {
  return `${node}/${generation}/${number}`;
}

/** Unique among the deliveries of what is published. */
export function deliveryId(id: string, to: string): string {
  return `${id} to ${to}`;
}

/** The number in the id of a message. */
export function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('/') + 1));
}

/**
 * The journal that a process writes: a line of JSON for each entry, in the file when `write` returns, so that it outlives
 * SIGKILL.
 */
export class JournalWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(facts: EntryFacts): void {
    writeSync(this.#file, `${JSON.stringify({ ...facts, atMs: nowMs() })}\n`);
  }
}

/** Follows a journal that another process writes. */
export class JournalReader {
  readonly #path: string;
  readonly #entries: Entry[] = [];
  #offset = 0;
  #unread = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** All that was written so far. */
  get entries(): readonly Entry[] {
    const lines = (this.#unread + this.#readOn()).split('\n');
    this.#unread = lines.pop() ?? '';
    for (const line of lines) this.#entries.push(JSON.parse(line));
    return this.#entries;
  }

  #readOn(): string {
    const file = openSync(this.#path, 'a+');
    try {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(65_536);
        const length = readSync(file, chunk, 0, chunk.length, this.#offset);
        if (length === 0) return Buffer.concat(chunks).toString();
        this.#offset += length;
        chunks.push(chunk.subarray(0, length));
      }
    } finally {
      closeSync(file);
    }
  }
}
