import type { Caller } from '../rpc/caller.ts';
import type { Welcomed } from './dial-peer.ts';
import type { FrameStream } from './frame-stream.ts';
import type { Heartbeats } from './heartbeats.ts';
import { introductionToWire } from './introduction.ts';
import type { Hello } from './judge-hello.ts';
import type { PeerAdmission } from './peer-admission.ts';
import type { PeerExchanges } from './peer-exchanges.ts';
import type { PeerLink } from './peer-link.ts';
import type { PeerLinks } from './peer-links.ts';
import type { PeerStreamsParts } from './peer-parts.ts';
import { PeerStream, type PeerStreamListener } from './peer-stream.ts';
import type { RefusalLog } from './refusal-log.ts';
import { factsOfDial, factsOfHello, type PeerStreamFacts } from './stream-facts.ts';

export interface StreamIntakeParts extends Pick<PeerStreamsParts, 'self' | 'directory' | 'connector'> {
  readonly links: PeerLinks;
  readonly exchanges: PeerExchanges;
  readonly heartbeats: Heartbeats;
  readonly admission: PeerAdmission;
  readonly refusals: RefusalLog;
  /** Whether this node takes nothing new, which each new stream is told. */
  readonly isDraining: () => boolean;
  /** The streams or what is known of peers changed. */
  readonly changed: () => void;
}

/**
 * Where streams begin whose handshake is over.
 *
 * I1. Inbound and outbound streams come to their link through the same door (`#offer`), so that one rule decides.
 * I2. What a peer says of itself reaches the directory together with how well it was proven.
 */
export class StreamIntake {
  readonly #parts: StreamIntakeParts;
  #lastOrder = 0;

  constructor(parts: StreamIntakeParts) {
    this.#parts = parts;
  }

  /** A Hello was found good. */
  take({ introduction }: Hello, protocol: number, caller: Caller, frames: FrameStream): void {
    const { self, directory, connector, refusals } = this.#parts;
    const { nodeName } = introduction;
    refusals.welcomed(nodeName);
    if (directory.member(nodeName) !== undefined) connector.channel(nodeName).retryNow();
    this.#offer(factsOfHello(introduction, protocol, caller, this.#nextOrder()), frames, () => {
      frames.send({ welcome: { introduction: introductionToWire(self.value), protocol } });
    });
  }

  /** A dial brought a stream. */
  welcomed(outcome: Welcomed): void {
    const { self, links } = this.#parts;
    this.#offer(factsOfDial(outcome, self.value.nodeName, this.#nextOrder()), outcome.frames, () => {});
    if (outcome.self !== self.value) links.get(outcome.introduction.nodeName)?.live?.advertise(self.value);
  }

  /** The one way in: a stream that would not stay is told so, one that does is the live one from here on. */
  #offer(facts: PeerStreamFacts, frames: FrameStream, answer: () => void): void {
    const { links, exchanges, heartbeats, admission, directory, isDraining } = this.#parts;
    const { introduction } = facts;
    const link = links.ensure(introduction.nodeName);
    if (frames.finished) return this.#forgetStranger(link);
    if (!link.wouldKeep(facts)) return link.decline(frames, facts.direction);
    answer();
    admission.opened(facts);
    const stream = new PeerStream(frames, facts, heartbeats, this.#listenerFor(link));
    link.adopt(stream);
    exchanges.attach(stream);
    stream.open();
    directory.learn(link.name, introduction, isProven(stream));
    // The channel may have moved while it was dialled.
    link.follow();
    if (isDraining()) void stream.announceDraining();
  }

  /** What a peer has said before it was a member counts from now on. */
  learnAgain(name: string): void {
    const live = this.#parts.links.get(name)?.live;
    if (live !== undefined) this.#parts.directory.learn(name, live.introduction, isProven(live));
  }

  #listenerFor(link: PeerLink): PeerStreamListener {
    const { exchanges, admission, directory } = this.#parts;
    return {
      heard: stream => link.heard(stream),
      advertised: (stream, introduction) => {
        link.advertised(stream);
        directory.learn(link.name, introduction, isProven(stream));
      },
      draining: stream => {
        link.draining(stream);
        exchanges.pause(link.name);
      },
      asked: (stream, question) => admission.judge(stream, question),
      closed: (stream, closing) => {
        exchanges.detach(stream, closing);
        admission.closed(stream, closing.reason);
        link.ended(stream, closing);
        this.#forgetStranger(link);
      },
    };
  }

  #forgetStranger(link: PeerLink): void {
    this.#parts.links.forgetStranger(link);
    this.#parts.changed();
  }

  #nextOrder(): number {
    this.#lastOrder += 1;
    return this.#lastOrder;
  }
}

function isProven({ security }: PeerStreamFacts): boolean {
  return security.kind === 'mutual_tls';
}
