import type { LivenessReason } from '../errors/liveness-reason.ts';
import type { Closing } from './closing.ts';
import { type LivenessFacts, MemberLiveness } from './member-liveness.ts';
import type { RunningClock } from './running-clock.ts';
import type { HeartbeatOptions } from './silence-estimate.ts';
import type { PeerLog } from './sparing-log.ts';

/** Whether a member lives, as this node concludes from its stream. */
export interface Liveness extends LivenessFacts {
  /** When state or generation last changed. */
  readonly since: Date;
}

export interface PeerLivenessParts {
  readonly name: string;
  readonly options: HeartbeatOptions;
  readonly clock: Pick<RunningClock, 'now'>;
  readonly logger: PeerLog;
}

/**
 * The liveness of one peer in the time of this process: feeds {@link MemberLiveness}, says since when, and logs a change of
 * the state once. That it was heard for the first time and that it drains is said by the lines of its stream.
 */
export class PeerLiveness {
  readonly #name: string;
  readonly #clock: Pick<RunningClock, 'now'>;
  readonly #logger: PeerLog;
  readonly #machine: MemberLiveness;
  #facts: LivenessFacts;
  #value: Liveness;

  constructor({ name, options, clock, logger }: PeerLivenessParts) {
    this.#name = name;
    this.#clock = clock;
    this.#logger = logger;
    this.#machine = new MemberLiveness(options);
    this.#facts = this.#machine.facts;
    this.#value = { ...this.#facts, since: new Date() };
  }

  /** Another object after each change. */
  get value(): Liveness {
    return this.#value;
  }

  opened(generation: number): void {
    this.#machine.opened(generation, this.#clock.now());
    this.#look();
  }

  /** True where that changed something. Cheap: this is called for each frame. */
  heard(): boolean {
    this.#machine.heard(this.#clock.now());
    return this.#look();
  }

  draining(): void {
    this.#machine.draining();
    this.#look();
  }

  ended({ reason, by }: Closing): void {
    // Whether one lives that is no member here any more is nobody's question.
    if ((reason === 'not_a_member' || reason === 'member_removed') && by === 'us') return;
    this.#machine.ended(reason, by, this.#clock.now());
    this.#look();
  }

  notReached(reason: LivenessReason): void {
    this.#machine.notReached(reason, this.#clock.now());
    this.#look();
  }

  /** Time has passed; true where that changed something. */
  tick(): boolean {
    this.#machine.tick(this.#clock.now());
    return this.#look();
  }

  #look(): boolean {
    const { facts } = this.#machine;
    if (facts === this.#facts) return false;
    const before = this.#value;
    this.#facts = facts;
    const isNews = facts.state !== before.state || facts.generation !== before.generation;
    this.#value = { ...facts, since: isNews ? new Date() : before.since };
    if (isNews) this.#log(before, facts);
    return true;
  }

  #log(before: LivenessFacts, { state, reason, generation }: LivenessFacts): void {
    const fields = { node: this.#name, reason, was: before.state, generation };
    if (state === 'suspect') this.#logger.warn('peer.suspect', fields);
    else if (state === 'dead' && before.state !== 'suspect') this.#logger.info('peer.dead', fields);
    else if (state === 'dead') this.#logger.warn('peer.dead', fields);
    else if (state === 'alive' && before.generation !== undefined) this.#logger.info('peer.alive', fields);
  }
}
