import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { PacedTurns } from '../lifecycle/paced-turns.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import { type EtcdFailure, etcdFailureOf } from '../rpc/etcd-failure.ts';
import type { EtcdEvents } from '../rpc/etcd-watch.ts';
import { printable } from '../telemetry/logger.ts';
import { BelievedEnd } from './believed-end.ts';
import { createEtcdEditor } from './etcd-editor.ts';
import { EtcdFollower } from './etcd-follower.ts';
import { EtcdGuard } from './etcd-guard.ts';
import { EtcdIntake } from './etcd-intake.ts';
import { parseEtcdKey } from './etcd-keys.ts';
import { EtcdOutage } from './etcd-outage.ts';
import { EtcdRegistration, memberRemoved } from './etcd-registration.ts';
import type { EtcdSourceParts } from './etcd-source-parts.ts';
import { afterEvents, afterRange, type EtcdState, problemsOf } from './etcd-state.ts';
import { viewOf } from './etcd-view.ts';
import { notReadable, unavailable } from './etcd-words.ts';
import { isSameView } from './member-changes.ts';
import type { MembershipEditor } from './membership-editor.ts';
import type { MembershipSource, MembershipView, SourceStanding } from './membership-source.ts';
import type { OwnWord } from './own-word.ts';
import { StandingOfSource } from './source-standing.ts';

const MAX_PROBLEM_LENGTH = 1_000;
const TAKE_EVERY_MS = 100;
const SAVE_EVERY_MS = 1_000;

/**
 * Members that register themselves in etcd.
 *
 * C1. The view follows what etcd says, by the rules of {@link EtcdState}; whatever is lost, slow or broken leaves it as it is.
 * C2. Nothing is deleted in etcd but the own registration of a node that leaves, and the own name when the source closes.
 * C3. What etcd says against this node stops only a node that starts; later it is a problem, and tried again.
 */
export class EtcdSource implements MembershipSource {
  readonly kind = 'etcd';
  readonly lists = true;
  readonly editor: MembershipEditor;
  readonly #parts: EtcdSourceParts;
  readonly #view: MutableValue<MembershipView>;
  readonly #standing: StandingOfSource;
  readonly #outage: EtcdOutage;
  readonly #guard: EtcdGuard;
  readonly #end: BelievedEnd;
  readonly #follower: EtcdFollower;
  readonly #intake: EtcdIntake;
  readonly #saving = new PacedTurns(SAVE_EVERY_MS);
  readonly #rejections = new Repeats(1);
  readonly #stopMoving: () => void;
  readonly #problems = new Map<'registration' | 'guard', string>();
  #state: EtcdState | undefined;
  /** Undefined until there is something to register. */
  #registration: EtcdRegistration | undefined;
  #isClosed = false;
  #heard: (failure: EtcdFailure | undefined) => void = () => {};

  constructor(parts: EtcdSourceParts) {
    const { connection, prefix, nodeName, allowUnguarded, cache, timing, logger } = parts;
    const { client } = connection;
    this.#parts = parts;
    this.#state = cache.value.value;
    this.#view = new MutableValue(viewOf(this.#state?.entries.values() ?? []));
    this.#standing = new StandingOfSource('etcd', logger);
    const user = () => connection.user();
    this.editor = createEtcdEditor({
      client,
      prefix,
      isKnown: name => [...(this.#state?.entries.values() ?? [])].some(entry => entry.name === name),
      user,
    });
    this.#outage = new EtcdOutage(timing.freezeAfterMs, () => this.#stand());
    this.#guard = new EtcdGuard({
      client,
      prefix,
      nodeName,
      otherName: () => this.#anotherName(),
      allowUnguarded,
      everyMs: timing.guardEveryMs,
      user,
      logger,
      onProblem: problem => {
        this.#tellProblem('guard', problem);
        if (problem === undefined) this.#follower.restart();
      },
    });
    const vouches = () => this.#guard.vouches();
    this.#end = new BelievedEnd({ nodeName, vouches, onBelieved: () => this.#follower.restart() });
    this.#intake = new EtcdIntake({
      everyMs: TAKE_EVERY_MS,
      isUrgent: ({ key }) => parseEtcdKey(prefix, key)?.kind === 'members',
      onTake: events => this.#takeEvents(events),
      onError: error => {
        this.#takeFailed(error);
        this.#follower.restart();
      },
    });
    this.#follower = new EtcdFollower({
      client,
      prefix,
      retry: timing.retry,
      askEveryMs: timing.askEveryMs,
      onRange: range => {
        this.#intake.clear();
        this.#take(afterRange(this.#state, prefix, range, this.#registration?.lastingKey));
      },
      onEvents: events => this.#hear(events),
      onRangeError: error => this.#takeFailed(error),
      onFollowing: () => this.#following(),
      onLost: failure => this.#noteLost(failure),
    });
    this.#stopMoving = connection.onMoved(() => this.#follower.restart());
  }

  get view(): ObservableValue<MembershipView> {
    return this.#view;
  }

  get standing(): ObservableValue<SourceStanding> {
    return this.#standing.value;
  }

  /**
   * Resolves when the members are known, and etcd's access control is as it should be; where etcd is away, when that is clear
   * and there is a last known state.
   * @throws membership_unavailable, config_invalid
   */
  async start(): Promise<void> {
    const isFirst = this.#state === undefined;
    const failure = await this.#firstWord();
    if (failure !== undefined) {
      const problem = this.#inWords(failure);
      if (isFirst)
        throw unavailable(
          `who the members are is not known, and no state of an earlier run is kept: ${problem}`,
          problem,
        );
      this.#outage.begin(failure);
    } else await this.#guard.insist().catch(error => this.#unlessAway(error));
    this.#guard.watch();
  }

  /**
   * Takes the name of this node and registers what it says of itself, from now on. Where etcd is away, as soon as it is back.
   * @throws member_removed, node_name_held, membership_not_writable; later each of them is a problem, and tried again.
   */
  async announce(own: ObservableValue<OwnWord>): Promise<void> {
    const { connection, prefix, nodeName, holderId, leaseTtlMs, leave, timing } = this.#parts;
    if (this.#isOut) throw memberRemoved(nodeName);
    const registration = new EtcdRegistration({
      client: connection.client,
      prefix,
      nodeName,
      holderId,
      own,
      isOut: () => this.#isOut,
      isHeard: () => this.#follower.isFollowing,
      isAway: () => this.#outage.failure !== undefined,
      leaseTtlMs,
      holdMarginMs: timing.holdMarginMs,
      endTimeoutMs: timing.endTimeoutMs,
      leave,
      retry: timing.retry,
      user: () => connection.user(),
      onProblem: problem => this.#tellProblem('registration', problem),
    });
    this.#registration = registration;
    try {
      if (this.#outage.failure === undefined) await registration.take().catch(error => this.#unlessAway(error));
    } catch (error) {
      this.#registration = undefined;
      await registration.close();
      throw error;
    }
    registration.follow();
  }

  async leave(): Promise<void> {
    await this.#registration?.leave();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outage.close();
    this.#guard.close();
    this.#end.close();
    this.#stopMoving();
    this.#follower.close();
    this.#intake.close();
    this.#saving.close();
    this.#standing.close();
    await this.#registration?.close();
    this.#parts.cache.value.set(this.#state);
    await this.#parts.cache.close();
    this.#parts.connection.close();
    if (this.#problems.size > 0) this.#parts.onProblem(undefined);
  }

  get #isOut(): boolean {
    return this.#view.value.removed.includes(this.#parts.nodeName);
  }

  /** Resolves when etcd answered, or with why it does not: at once where it refuses, else when that has taken too long. */
  #firstWord(): Promise<EtcdFailure | undefined> {
    return new Promise(resolve => {
      let last: EtcdFailure = { kind: 'away', problem: 'etcd did not answer in time' };
      const done = (failure: EtcdFailure | undefined) => {
        clearTimeout(timer);
        this.#heard = () => {};
        resolve(failure);
      };
      const timer = setTimeout(() => done(last), this.#parts.startTimeoutMs);
      this.#heard = failure => {
        if (failure === undefined || failure.kind === 'denied') done(failure);
        else last = failure;
      };
    });
  }

  #hear(events: EtcdEvents): void {
    const { prefix, nodeName } = this.#parts;
    const keys = events.events.map(({ key }) => parseEtcdKey(prefix, key));
    if (keys.some(key => key !== undefined && key.kind !== 'holders')) this.#intake.add(events);
    if (keys.some(key => key?.name === nodeName)) this.#registration?.look();
  }

  #takeEvents(events: EtcdEvents): void {
    if (this.#state !== undefined) this.#take(afterEvents(this.#state, this.#parts.prefix, events));
  }

  #take(state: EtcdState): void {
    const before = this.#state?.rejected;
    this.#state = state;
    this.#saving.add('state', () => this.#parts.cache.value.set(this.#state));
    for (const [key, problem] of state.rejected) if (before?.get(key) !== problem) this.#sayRejected(key, problem);
    this.#show();
    this.#stand();
  }

  #sayRejected(key: string, problem: string): void {
    const suppressed = this.#rejections.next(key, performance.now());
    if (suppressed !== undefined)
      this.#parts.logger.warn('membership.record_rejected', { source: 'etcd', key, problem, suppressed });
  }

  /** Somebody who heard of a change threw. */
  #takeFailed(error: unknown): void {
    this.#parts.logger.error('membership.change_failed', { source: 'etcd', problem: messageOf(error) });
  }

  #show(): void {
    if (this.#state === undefined || this.#isClosed) return;
    const view = this.#end.shown(viewOf(this.#state.entries.values()));
    if (!isSameView(this.#view.value, view)) this.#view.set(view);
  }

  #anotherName(): string | undefined {
    const others = this.#view.value.members.filter(({ name }) => name !== this.#parts.nodeName);
    return others[Math.floor(Math.random() * others.length)]?.name;
  }

  #following(): void {
    this.#outage.end();
    this.#stand();
    this.#heard(undefined);
    this.#registration?.look();
    this.#guard.lookFirst();
  }

  #noteLost(failure: EtcdFailure): void {
    this.#outage.note(failure);
    this.#parts.connection.tryAnother();
    this.#heard(failure);
  }

  #stand(): void {
    const { failure } = this.#outage;
    const problems = [
      ...(failure === undefined ? [] : [this.#inWords(failure)]),
      ...(this.#state === undefined ? [] : problemsOf(this.#state)),
    ];
    if (problems.length === 0) this.#standing.recover();
    else this.#standing.freeze(printable(problems.join('; '), MAX_PROBLEM_LENGTH));
  }

  #inWords({ kind, problem }: EtcdFailure): string {
    return kind === 'denied' ? notReadable(this.#parts.connection.user(), this.#parts.prefix) : printable(problem);
  }

  /** Lost since it was heard: what was to be done is done as soon as it is back. */
  #unlessAway(error: unknown): void {
    if (isSelvedgeError(error)) throw error;
    const { kind, problem } = etcdFailureOf(error);
    if (kind !== 'away')
      throw unavailable(`this node cannot register itself: ${printable(problem)}`, printable(problem));
  }

  #tellProblem(about: 'registration' | 'guard', problem: string | undefined): void {
    if (this.#isClosed || this.#problems.get(about) === problem) return;
    if (problem === undefined) this.#problems.delete(about);
    else this.#problems.set(about, problem);
    if (about === 'registration')
      if (problem === undefined) this.#parts.logger.info('membership.registered', { source: 'etcd' });
      else this.#parts.logger.error('membership.not_registered', { source: 'etcd', problem });
    this.#parts.onProblem([...this.#problems.values()].join('; ') || undefined);
  }
}
