import type { FrameStream } from './frame-stream.ts';
import type { PeerStream } from './peer-stream.ts';

/**
 * Streams of a pair that lost against another but are not over: the goodbye is left to the other side for a while, which
 * may still take the lost stream for the live one.
 */
export class LostStreams {
  readonly #graceMs: number;
  readonly #ends = new Map<PeerStream | FrameStream, () => Promise<unknown>>();

  /** @param graceMs how long the other side has before we end the stream. */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** `end` must be safe to call on a stream that is over. */
  add(lost: PeerStream | FrameStream, end: () => Promise<unknown>): void {
    this.#ends.set(lost, end);
    setTimeout(() => void end(), this.#graceMs).unref();
  }

  /** To be called when a stream is over. */
  forget(lost: PeerStream | FrameStream): void {
    this.#ends.delete(lost);
  }

  /** Ends all of them now. */
  async close(): Promise<void> {
    await Promise.all([...this.#ends.values()].map(end => end()));
  }
}
