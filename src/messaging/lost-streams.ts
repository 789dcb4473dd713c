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

  /** The live stream has lost against `winner`, which is the live one now. */
  superseded(old: PeerStream, winner: PeerStream): void {
    // Of another generation is another process: it will not hear of the winner and say goodbye itself.
    if (winner.generation !== old.generation)
      return void old.close(winner.generation > old.generation ? 'stale_generation' : 'duplicate_stream');
    this.#add(old, () => old.close('duplicate_stream'));
    if (winner.direction === 'outbound') void old.retire('duplicate_stream');
  }

  /** A stream would not stay. @param live the direction of the one that does, where there is one. */
  declined(frames: FrameStream, direction: 'inbound' | 'outbound', live: 'inbound' | 'outbound' | undefined): void {
    const end = () => {
      frames.send({ goodbye: { reason: 'duplicate_stream', detail: '' } });
      return frames.end();
    };
    if (direction === 'inbound' || live === 'outbound') return void end();
    // The peer may hold this one for the live one until it has read the Welcome of that.
    frames.receive(() => {});
    void frames.ended.then(() => this.forget(frames));
    this.#add(frames, end);
  }

  /** To be called when a stream is over. */
  forget(lost: PeerStream | FrameStream): void {
    this.#ends.delete(lost);
  }

  /** Ends all of them now. */
  async close(): Promise<void> {
    await Promise.all([...this.#ends.values()].map(end => end()));
  }

  /** `end` is safe to call on a stream that is over. */
  #add(lost: PeerStream | FrameStream, end: () => Promise<unknown>): void {
    this.#ends.set(lost, end);
    setTimeout(() => void end(), this.#graceMs).unref();
  }
}
