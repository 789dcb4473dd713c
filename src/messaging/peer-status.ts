import type { LivenessReason } from '../errors/liveness-reason.ts';
import type { Closing } from './closing.ts';
import { mayBeGone } from './member-liveness.ts';
import { type Liveness, PeerLiveness, type PeerLivenessParts } from './peer-liveness.ts';
import { PeerStanding } from './peer-standing.ts';
import type { PeerEntry, PeerState } from './peer-table.ts';
import { type PeerLog, SparingLog } from './sparing-log.ts';
import type { PeerStreamFacts } from './stream-facts.ts';

/** Why a dial brought no stream. */
export interface DialProblem {
  readonly state: 'refused' | 'unreachable';
  /** Undefined where nobody answered. */
  readonly reason: LivenessReason | undefined;
  readonly detail: string;
  readonly by: 'us' | 'peer' | undefined;
}

/**
 * How one peer stands and whether it lives, for the table and for the log: what became of its streams and of the dials.
 *
 * A problem is logged when it is another than the last one, not at each try; of what repeats there are a few lines.
 */
export class PeerStatus {
  readonly #name: string;
  readonly #logger: PeerLog;
  readonly #standing = new PeerStanding();
  readonly #liveness: PeerLiveness;
  /** The last stream ended because it was not needed, and no dial has failed since. */
  #rests = false;

  constructor(parts: PeerLivenessParts) {
    this.#name = parts.name;
    this.#logger = new SparingLog(parts.logger);
    this.#liveness = new PeerLiveness({ ...parts, logger: this.#logger });
  }

  /** Another object after each change. */
  get standing(): Pick<PeerEntry, 'state' | 'reason' | 'detail' | 'since'> {
    return this.#standing.facts;
  }

  /** Another object after each change. */
  get liveness(): Liveness {
    return this.#liveness.value;
  }

  get state(): PeerState {
    return this.#standing.facts.state;
  }

  get rests(): boolean {
    return this.#rests;
  }

  /** Whether only a stream can tell that it lives. */
  get mayBeGone(): boolean {
    return mayBeGone(this.#liveness.value.state);
  }

  /** A stream is the live one now. @param old the one that was. */
  connected(stream: PeerStreamFacts, old: PeerStreamFacts | undefined): void {
    const { generation, direction, security, introduction } = stream;
    const facts = { node: this.#name, direction, security: security.kind, generation, mode: introduction.mode };
    const isNews = old === undefined || old.security.kind !== security.kind;
    this.#liveness.opened(generation);
    if (!isNews) this.#logger.debug('peer.stream_replaced', facts);
    else if (this.#rests) this.#logger.debug('peer.connected', facts);
    else this.#logger.info('peer.connected', facts);
    this.#rests = false;
    this.#standing.set('connected');
  }

  /** The peer takes nothing new. */
  draining(): void {
    this.#logger.info('peer.draining', { node: this.#name });
    this.#liveness.draining();
    this.#standing.set('draining', 'node_draining');
  }

  /** The live stream is over. How the peer stands then is for the caller to say: `idle` or `connecting`. */
  disconnected(closing: Closing): void {
    const { reason, detail, by } = closing;
    const facts = { node: this.#name, reason, detail, by };
    this.#rests = reason === 'idle';
    // Another stream of the pair is on its way, or the peer believes so; or none is needed.
    if (reason === 'duplicate_stream' || this.#rests) this.#logger.debug('peer.disconnected', facts);
    else this.#logger.info('peer.disconnected', facts);
    this.#liveness.ended(closing);
  }

  /** A stream that was not the live one is over. */
  lostStreamEnded({ reason, detail, by }: Closing): void {
    this.#logger.debug('peer.stream_ended', { node: this.#name, reason, detail, by });
  }

  /** No stream is needed. */
  idle(): void {
    this.#standing.set('idle');
  }

  /** A stream is to be dialled; `reason` and `detail` say why there is none. */
  connecting(reason?: string, detail?: string): void {
    this.#standing.set('connecting', reason, detail);
  }

  /** A dial failed, and no stream is open. */
  notConnected(problem: DialProblem): void {
    this.#warn(problem);
    this.#rests = false;
    this.#liveness.notReached(problem.reason ?? 'unreachable');
    this.#standing.set(problem.state, problem.reason, problem.detail);
  }

  /**
   * A dial failed that was to replace the stream that is open: how the peer stands does not change. Who was not reached
   * that way is reached all the same; who refuses us will do so for good when that stream ends.
   */
  notRenewed(problem: DialProblem): void {
    if (problem.state === 'refused') this.#warn(problem);
    else this.#logger.debug('peer.not_renewed', { node: this.#name, detail: problem.detail });
  }

  /** A frame came. True where that changed something. */
  heard(): boolean {
    return this.#liveness.heard();
  }

  /** Time has passed. True where that changed something. */
  tick(): boolean {
    return this.#liveness.tick();
  }

  #warn({ state, reason, detail, by }: DialProblem): void {
    if (this.#standing.isNews(`${state} ${reason} ${detail}`))
      this.#logger.warn(`peer.${state}`, { node: this.#name, reason, detail, by });
  }
}
