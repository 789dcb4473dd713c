import type { Frame } from './frame.ts';
import type { FrameStream } from './frame-stream.ts';
import { type Introduction, introductionToWire } from './introduction.ts';

/**
 * What one stream sends that may wait or be left out: while the peer does not read, none of it piles up. Of several
 * advertisements, and of several words on who is watched, the newest goes; a heartbeat that would wait is left out.
 */
export class DeferredFrames {
  readonly #frames: FrameStream;
  #heartbeats = 0;
  #advertisement: Introduction | undefined;
  #watches: boolean | undefined;

  constructor(frames: FrameStream) {
    this.#frames = frames;
  }

  advertise(introduction: Introduction): void {
    this.#advertisement = introduction;
    this.flush();
  }

  watch(watches: boolean): void {
    this.#watches = watches;
    this.flush();
  }

  beat(): void {
    if (this.sendOrDrop({ heartbeat: { sequence: this.#heartbeats + 1 } })) this.#heartbeats += 1;
  }

  /** False: it was left out, as the peer does not read. */
  sendOrDrop(frame: Frame): boolean {
    if (this.#frames.congested) return false;
    this.#frames.send(frame);
    return true;
  }

  /** Sends what waits, as far as the peer reads. To be called when it reads again. */
  flush(): void {
    if (!this.#frames.congested) this.flushAdvertisement();
    if (this.#frames.congested || this.#watches === undefined) return;
    this.#frames.send({ watch: { watches: this.#watches } });
    this.#watches = undefined;
  }

  /** Sends what we last said of ourselves, where that waits, whether the peer reads or not. */
  flushAdvertisement(): void {
    if (this.#advertisement === undefined) return;
    const introduction = introductionToWire(this.#advertisement);
    this.#advertisement = undefined;
    this.#frames.send({ advertisement: { introduction } });
  }
}
