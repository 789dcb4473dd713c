import type * as grpc from '@grpc/grpc-js';
import { printable } from '../telemetry/logger.ts';
import type { Frame } from './frame.ts';

/** How long the last frames may take to go out before the call is given up. */
const LAST_WORDS_MS = 1_000;

/** How a frame stream ended. */
export interface FrameStreamEnd {
  /** Whether the other side ended it, rather than the connection under it or we. */
  readonly clean: boolean;
  /** Printable; empty where nothing more is known. */
  readonly detail: string;
  /** Of a call we made. */
  readonly status: grpc.StatusObject | undefined;
}

/** What both sides of a bidirectional call have in common. */
interface FrameCall {
  on(event: 'data', listener: (frame: Frame) => void): unknown;
  on(event: 'drain', listener: () => void): unknown;
  write(frame: Frame, written?: () => void): boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
}

/**
 * The frames of one call, either side of it, from the first on.
 *
 * F1. A frame is read only when somebody takes it; what nobody takes stays with the peer.
 * F2. `ended` resolves exactly once, also when the other side reads nothing any more.
 */
export class FrameStream {
  readonly ended: Promise<FrameStreamEnd>;
  readonly #call: FrameCall;
  readonly #cancel: () => void;
  readonly #unread: Frame[] = [];
  #take: ((frame: Frame) => void) | undefined;
  #onDrain: (() => void) | undefined;
  #congested = false;
  #sent = 0;
  #finished = false;
  #ending = false;
  #resolveEnded: (end: FrameStreamEnd) => void = () => {};

  private constructor(call: FrameCall, cancel: () => void) {
    this.#call = call;
    this.#cancel = cancel;
    this.ended = new Promise(resolve => {
      this.#resolveEnded = resolve;
    });
    call.on('data', frame => this.#onFrame(frame));
    call.on('drain', () => {
      this.#congested = false;
      this.#onDrain?.();
    });
  }

  static ofServerCall(call: grpc.ServerDuplexStream<Frame, Frame>): FrameStream {
    const stream = new FrameStream(call, () => {});
    call.on('end', () => {
      stream.#finish({ clean: true, detail: '', status: undefined });
      // There are no half-open peer streams.
      call.end();
    });
    call.on('cancelled', () => stream.#finish({ clean: false, detail: 'the connection ended', status: undefined }));
    return stream;
  }

  static ofClientCall(call: grpc.ClientDuplexStream<Frame, Frame>): FrameStream {
    const stream = new FrameStream(call, () => call.cancel());
    let status: grpc.StatusObject | undefined;
    // The status says it all; an error event without a listener would end the process.
    call.on('error', () => {});
    call.on('status', (received: grpc.StatusObject) => {
      status = received;
      // Frames that came before the status are delivered first; then the stream says 'end'. Unless nobody reads.
      if (stream.#ending) stream.#finish(endOf(received));
    });
    call.on('end', () => stream.#finish(status === undefined ? undefined : endOf(status)));
    return stream;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** How many frames were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** True while the other side does not read as fast as we write: then what can wait should. */
  get congested(): boolean {
    return this.#congested;
  }

  /** @param written called when the frame is on its way; never where the stream ends before. */
  send(frame: Frame, written?: () => void): void {
    if (this.#finished || this.#ending) return;
    this.#sent += 1;
    this.#congested = !this.#call.write(frame, written);
  }

  /** The next frame, or why there is none. */
  async next(timeoutMs: number): Promise<Frame | 'timeout' | 'ended'> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<'timeout'>(resolve => {
      timer = setTimeout(() => resolve('timeout'), timeoutMs);
    });
    const frame = new Promise<Frame>(resolve => {
      this.receive(received => {
        this.#take = undefined;
        this.#call.pause();
        resolve(received);
      });
    });
    try {
      return await Promise.race([frame, this.ended.then(() => 'ended' as const), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives every frame from now on to `take`. */
  receive(take: (frame: Frame) => void, onDrain?: () => void): void {
    this.#take = take;
    this.#onDrain = onDrain;
    while (this.#take !== undefined) {
      const frame = this.#unread.shift();
      if (frame === undefined) break;
      this.#take(frame);
    }
    if (this.#take !== undefined) this.#call.resume();
  }

  /** Sends what was written and ends our side. Resolves when the call is over, at the latest after a second. */
  end(): Promise<FrameStreamEnd> {
    if (this.#ending || this.#finished) return this.ended;
    this.#ending = true;
    // What still comes is read and dropped, so that the end behind it is seen.
    this.receive(() => {});
    this.#call.end();
    const timer = setTimeout(() => {
      this.#cancel();
      this.#finish(undefined);
    }, LAST_WORDS_MS);
    return this.ended.finally(() => clearTimeout(timer));
  }

  /** Gives up a call without a word. */
  cancel(): void {
    this.#cancel();
    this.#finish(undefined);
  }

  #onFrame(frame: Frame): void {
    if (this.#take !== undefined) return this.#take(frame);
    this.#unread.push(frame);
    this.#call.pause();
  }

  #finish(end: FrameStreamEnd | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#resolveEnded(end ?? { clean: false, detail: '', status: undefined });
  }
}

function endOf(status: grpc.StatusObject): FrameStreamEnd {
  return { clean: status.code === 0, detail: printable(status.details), status };
}
