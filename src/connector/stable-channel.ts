import * as grpc from '@grpc/grpc-js';
import type { EndReason, RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Call, CallArguments } from '../rpc/grpc-call.ts';
import type { Security } from '../rpc/security.ts';
import { withCalls } from '../rpc/with-calls.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Dial, type DialOptions, type DialOwner, type DialWatcher } from './dial.ts';
import { cutReason, type DialPlan, dialledAgain, type PlannedDial } from './dial-plan.ts';
import { type CallOwner, FacadeCall } from './facade-call.ts';
import { failClosed, failRefused } from './fail-call.ts';
import { HeldCalls } from './held-calls.ts';
import { StandingRefusal } from './standing-refusal.ts';
import { watchByPolling } from './watch-by-polling.ts';

const { READY, IDLE, TRANSIENT_FAILURE, SHUTDOWN } = grpc.connectivityState;

export interface StableChannelOptions extends DialOptions {
  /** How long a call waits while the other side cannot be reached. */
  readonly holdTimeoutMs: number;
  /** How long calls wait once the other side refuses us; after that they fail at once, with the reason. */
  readonly refusedHoldTimeoutMs: number;
}

export interface StableChannelParts {
  /** For messages and logs: the node name. */
  readonly name: string;
  readonly plan: ObservableValue<DialPlan>;
  readonly options: StableChannelOptions;
  readonly metrics: Metrics;
  readonly watcher: (planned: PlannedDial) => DialWatcher;
  /** Told of each call, those of {@link StableChannel.impatient} left out. Default: nobody. */
  readonly called?: () => void;
  /** Told when calls go over another connection than before. Default: nobody. */
  readonly connected?: () => void;
}

/**
 * A channel to one node that survives rotation, mode changes, moves and restarts of the other side. Hand it to any
 * generated client as `channelOverride`.
 *
 * S1. A call is given to a connection only while that is READY, and taken back from one that went away before any
 *     server saw the call; else it is held here until a connection is ready or its patience ends. So a held call can
 *     move to another address, and its failure means that nobody processed it.
 * S2. When the plan changes, the new connection is dialled first; calls move over when it is READY, the old one ends
 *     with its last call. In strict mode a plaintext connection gets no further call from that moment on.
 * S3. A refusal that lasts longer than `refusedHoldTimeoutMs` fails held and new calls with its reason.
 */
export class StableChannel implements grpc.ChannelInterface {
  readonly #parts: StableChannelParts;
  readonly #unsubscribe: () => void;
  readonly #held = new HeldCalls(() => this.#notConnected());
  #current: Dial | undefined;
  #next: Dial | undefined;
  /** Which of the planned addresses is tried; moves on when one cannot be reached. */
  #turn = 0;
  readonly #refusal: StandingRefusal;
  /** The other side said it drains: its present connection gets no new calls. */
  #paused = false;
  #awake = false;
  #closed = false;
  readonly #owner: DialOwner = {
    stateChanged: dial => this.#onState(dial),
    withdrawn: (dial, reason, graceMs) => this.#withdraw(dial, reason, graceMs),
    expiring: dial => this.#renew(dial),
  };
  readonly #impatient: CallOwner = { ended: (call, code) => this.#onEnded(call, code) };
  readonly #patient: CallOwner = {
    ended: (call, code) => {
      this.#openCalls -= 1;
      this.#onEnded(call, code);
    },
    returned: call => this.#route(call),
  };
  #openCalls = 0;

  constructor(parts: StableChannelParts) {
    this.#parts = parts;
    this.#refusal = new StandingRefusal(parts.options.refusedHoldTimeoutMs, error => {
      for (const call of this.#held.releaseAll()) failRefused(call, this.#parts.name, error);
    });
    this.#unsubscribe = parts.plan.subscribe(() => this.#replan());
  }

  getTarget(): string {
    return `selvedge:///${this.#parts.name}`;
  }

  /** READY while calls go out at once. */
  getConnectivityState(tryToConnect: boolean): grpc.connectivityState {
    if (this.#closed) return SHUTDOWN;
    if (tryToConnect) this.connect();
    return this.#current?.state ?? IDLE;
  }

  watchConnectivityState(
    current: grpc.connectivityState,
    deadline: grpc.Deadline,
    callback: (error?: Error) => void,
  ): void {
    watchByPolling(this, current, deadline, callback);
  }

  getChannelzRef(): never {
    throw new Error('channelz is switched off for channels of the fabric');
  }

  connect(): void {
    if (this.#closed) return;
    if (!this.#awake) {
      this.#awake = true;
      this.#replan();
    }
    this.#current?.connect();
    this.#next?.connect();
  }

  createCall(...args: CallArguments): Call {
    this.#openCalls += 1;
    this.#parts.called?.();
    const call = new FacadeCall(args, this.#patient);
    this.#route(call);
    return call;
  }

  /** Calls that run or wait; those of {@link impatient} are not counted. */
  get openCalls(): number {
    return this.#openCalls;
  }

  /** The same connection without holding: a call fails as soon as the dial does. For those who retry themselves. */
  get impatient(): grpc.ChannelInterface {
    return withCalls(this, (...args) => {
      const call = new FacadeCall(args, this.#impatient);
      this.connect();
      const plan = this.#parts.plan.value;
      if (this.#closed) failClosed(call, this.#parts.name);
      else if ('error' in plan) failRefused(call, this.#parts.name, plan.error);
      else this.#current?.take(call);
      return call;
    });
  }

  /** The other side drains: new calls wait until it is back. */
  pause(): void {
    this.#paused = this.#current?.state === READY;
  }

  /** The other side is known to be up: forgets the wait between two dials, unless what the plan wants is dialled already. */
  retryNow(): void {
    if (this.#closed || this.#next !== undefined || this.#current?.state !== TRANSIENT_FAILURE) return;
    this.#replaceCurrent(dialledAgain(this.#parts.plan.value, this.#current.planned));
  }

  /** What protects the connection that calls go over; undefined while there is none. */
  get security(): Security | undefined {
    return this.#current?.state === READY ? this.#current.security : undefined;
  }

  /** Why the newest attempt failed, as far as is known. */
  get failure(): unknown {
    const plan = this.#parts.plan.value;
    return 'error' in plan ? plan.error : (this.#refusal.error ?? this.#current?.failure);
  }

  /** Calls that run go on to their end; those that wait fail. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#refusal.forget();
    for (const call of this.#held.releaseAll()) failClosed(call, this.#parts.name);
    this.#current?.retire();
    this.#next?.retire();
  }

  #onEnded(call: FacadeCall, code: grpc.status): void {
    this.#held.forget(call);
    const calls = this.#parts.metrics.clientCalls.of(call.args[0]);
    calls.ended(grpc.status[code], performance.now() - call.startedAtMs);
  }

  #route(call: FacadeCall): void {
    if (this.#closed) return failClosed(call, this.#parts.name);
    if (this.#current?.state === READY && !this.#paused) return this.#current.take(call);
    const plan = this.#parts.plan.value;
    if ('error' in plan && plan.error.code === 'member_unknown') return failRefused(call, this.#parts.name, plan.error);
    const { lasting } = this.#refusal;
    if (lasting !== undefined) return failRefused(call, this.#parts.name, lasting);
    this.#held.add(call, this.#parts.options.holdTimeoutMs);
    this.connect();
  }

  #notConnected(): string {
    const { name } = this.#parts;
    if (this.failure !== undefined) return `${name} is not connected: ${messageOf(this.failure)}`;
    const failed = this.#current?.state === TRANSIENT_FAILURE;
    return `${name} is not connected: ${failed ? 'it cannot be reached' : 'no connection was ready in time'}`;
  }

  #replan(): void {
    if (this.#closed || !this.#awake) return;
    const plan = this.#parts.plan.value;
    this.#turn = 0;
    this.#refusal.forget();
    if ('error' in plan) {
      this.#retireBoth(plan.error.code === 'member_unknown' ? 'not_a_member' : 'mode_changed');
      return this.#refusal.note(plan.error);
    }
    const [best] = plan.dials;
    if (best === undefined) return;
    const current = this.#current;
    if (current?.state === IDLE && this.#held.size === 0) {
      // Nobody needs a connection now: who does later dials what the plan says then.
      this.#retireBoth('address_changed');
      this.#awake = false;
    } else if (current?.planned.epoch === best.epoch) {
      this.#keepCurrent(current, best);
    } else if (current?.state === READY && (plan.mayKeepPlaintext || current.planned.target.scheme === 'https')) {
      if (this.#next?.planned.epoch === best.epoch) return;
      this.#next?.retire();
      this.#next = this.#dial(best);
    } else {
      this.#replaceCurrent(best);
    }
  }

  /** Its connection is what the plan wants; whether its server still is who it should be, others ask. */
  #keepCurrent(current: Dial, best: PlannedDial): void {
    const isHeldAgainstMore = current.planned.standard !== best.standard;
    current.adopt(best);
    if (this.#next?.planned.epoch === best.epoch) this.#next.adopt(best);
    else {
      this.#next?.retire();
      this.#next = undefined;
    }
    // A dial that failed may succeed now: it does not wait for its next turn.
    if (isHeldAgainstMore && current.state !== READY && current.state !== IDLE) this.#replaceCurrent(best);
  }

  /** @param reason why calls may not go on over the connection before for long; by default as the plans differ. */
  #replaceCurrent(planned: PlannedDial, reason?: EndReason, graceMs?: number): void {
    const [current, next] = [this.#current, this.#next];
    this.#next = undefined;
    this.#paused = false;
    this.#current = this.#dial(planned);
    current?.retire(reason ?? cutReason(current.planned, planned), graceMs);
    next?.retire();
  }

  #withdraw(dial: Dial, reason: RefusalReason, graceMs: number): void {
    const plan = this.#parts.plan.value;
    const best = 'error' in plan ? undefined : plan.dials[0];
    if (dial === this.#current && best !== undefined && !this.#closed) this.#replaceCurrent(best, reason, graceMs);
    else dial.retire(reason, graceMs);
    if (dial !== this.#next) return;
    this.#next = undefined;
    this.#replan();
  }

  #renew(dial: Dial): void {
    if (this.#closed || dial !== this.#current || dial.state !== READY || this.#next !== undefined) return;
    this.#next = this.#dial(dial.planned);
  }

  #retireBoth(reason: EndReason): void {
    const [current, next] = [this.#current, this.#next];
    this.#current = this.#next = undefined;
    current?.retire(reason);
    next?.retire();
  }

  #dial(planned: PlannedDial): Dial {
    const dial = new Dial(planned, this.#parts.options, this.#parts.watcher(planned), this.#owner);
    dial.connect();
    return dial;
  }

  #onState(dial: Dial): void {
    if (this.#closed || (dial !== this.#current && dial !== this.#next)) return;
    const { state } = dial;
    if (state === READY) return this.#onReady(dial);
    if (dial === this.#current) this.#paused = false;
    if (state === TRANSIENT_FAILURE) this.#onFailure(dial);
    else if (state === IDLE && (dial === this.#next || this.#held.size > 0)) dial.connect();
  }

  #onReady(dial: Dial): void {
    if (dial === this.#next) {
      const previous = this.#current;
      this.#current = dial;
      this.#next = undefined;
      this.#paused = false;
      previous?.retire(cutReason(previous.planned, dial.planned));
    }
    this.#refusal.forget();
    if (!this.#paused) for (const call of this.#held.releaseAll()) this.#route(call);
    this.#parts.connected?.();
  }

  #onFailure(dial: Dial): void {
    if (dial === this.#next) {
      // The new connection failed; if the old one is gone too, there is nothing left to keep.
      if (this.#current?.state !== READY) this.#replaceCurrent(dial.planned);
      return;
    }
    if (isSelvedgeError(dial.failure)) this.#refusal.note(dial.failure);
    const plan = this.#parts.plan.value;
    if ('error' in plan || plan.dials.length < 2) return;
    this.#turn = (this.#turn + 1) % plan.dials.length;
    const another = plan.dials[this.#turn];
    // After a whole round of addresses that fail, wait as long as grpc-js would.
    const waitMs = this.#turn === 0 ? Math.min(1_000, this.#parts.options.reconnectMaxDelayMs) : 0;
    setTimeout(() => {
      const stillFails = !this.#closed && this.#current === dial && dial.state !== READY;
      if (stillFails && another !== undefined) this.#replaceCurrent(another);
    }, waitMs).unref();
  }
}
