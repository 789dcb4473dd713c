import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLOSE_REASONS } from '../../src/errors/refusal-reason.ts';
import { type LivenessState, MemberLiveness } from '../../src/messaging/member-liveness.ts';
import { RunningClock } from '../../src/messaging/running-clock.ts';

const HEARTBEAT_MS = 1_000;
const TIMEOUT_MS = 3_000;
const TICK_MS = 250;
const OPTIONS = { heartbeatIntervalMs: HEARTBEAT_MS, heartbeatTimeoutMs: TIMEOUT_MS };

/** Silence that is never suspicious, and silence that always is; in between it depends on what was learned. */
const PATIENT_MS = 2 * HEARTBEAT_MS;
const IMPATIENT_MS = TIMEOUT_MS;
const MEMORY_MS = 16 * TIMEOUT_MS;

const HARMLESS = ['duplicate_stream', 'credentials_rotated', 'address_changed', 'mode_changed'] as const;
const GOODBYES = ['node_draining', 'node_closed'] as const;
const BROKEN = CLOSE_REASONS.filter(
  reason => ![...HARMLESS, ...GOODBYES, 'idle'].some(each => (each as string) === reason),
);

type Step =
  | { readonly do: 'run'; readonly ticks: number; readonly every: number }
  | { readonly do: 'stall'; readonly ms: number; readonly framesFirst: boolean }
  | { readonly do: 'frame' | 'drain' | 'break' | 'replace' | 'idle' | 'bye' | 'unreachable' | 'reopen' | 'restart' };

const running = fc.record({
  do: fc.constant('run' as const),
  ticks: fc.integer({ min: 1, max: 60 }),
  /** A frame comes at each so-manieth tick; 0: none. */
  every: fc.constantFrom(0, 1, 3, 4, 4, 5, 7, 9, 11, 13),
});
const stall = fc.record({
  do: fc.constant('stall' as const),
  ms: fc.integer({ min: 1, max: 20_000 }),
  framesFirst: fc.boolean(),
});
const other = fc.record({
  do: fc.constantFrom(
    ...(['frame', 'drain', 'break', 'replace', 'idle', 'bye', 'unreachable', 'reopen', 'reopen', 'restart'] as const),
  ),
});
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(running, running, stall, other), { minLength: 1, maxLength: 60 });

/** What chance may leave out: every change of the state there is. */
const EVERY_CHANGE: readonly Step[] = [
  ...(['reopen', 'drain', 'restart', 'drain', 'break', 'restart', 'drain', 'bye', 'restart', 'bye', 'reopen'] as const),
  ...(['drain', 'restart', 'break', 'silence', 'restart', 'idle', 'unreachable', 'reopen', 'heartbeats'] as const),
].map(word => {
  if (word === 'silence') return { do: 'run', ticks: 20, every: 0 };
  return word === 'heartbeats' ? { do: 'run', ticks: 60, every: 4 } : { do: word };
});

/**
 * What is allowed, in words of what was heard and when: a relation, not another machine. Its time goes on where this process
 * runs, so that what it demands does not know of stalls at all.
 */
class Model {
  now = 0;
  state: LivenessState = 'unknown';
  isOpen = false;
  isKnown = false;
  generation = 0;
  /** Since when nothing was heard, or since when somebody looks. */
  quietSince = 0;
  /** Frames of this stream since it opened, the opening included. */
  heard: number[] = [];
  suspicions: number[] = [];
  isDoubted = false;

  get quietMs(): number {
    return this.now - this.quietSince;
  }

  /** How long it has to be heard steadily after a suspicion. */
  get steadyMs(): number {
    const recent = this.suspicions.filter(began => this.now - began <= MEMORY_MS).length;
    return HEARTBEAT_MS * 2 ** Math.max(recent, 1);
  }

  /** Whether up to now no two frames were further apart than `gapMs`, for `forMs`. */
  wasHeard(forMs: number, gapMs: number): boolean {
    let last = this.now;
    for (const at of this.heard.toReversed()) {
      if (last - at > gapMs) return false;
      if (this.now - at >= forMs) return true;
      last = at;
    }
    return false;
  }

  hear(): void {
    this.quietSince = this.now;
    this.heard.push(this.now);
  }

  /** What a frame may make of it. */
  afterFrame(): readonly LivenessState[] {
    if (this.state === 'alive' || this.state === 'draining') return [this.state];
    if (!this.isDoubted) return ['alive'];
    if (this.wasHeard(this.steadyMs + PATIENT_MS, PATIENT_MS)) return ['alive'];
    return this.wasHeard(this.steadyMs, IMPATIENT_MS) ? ['suspect', 'alive'] : ['suspect'];
  }

  afterTick(): readonly LivenessState[] {
    const { state, quietMs } = this;
    if (state === 'suspect') return !this.isOpen && quietMs >= TIMEOUT_MS ? ['dead'] : ['suspect'];
    if (state === 'alive' || (state === 'draining' && !this.isOpen)) {
      if (quietMs <= PATIENT_MS) return [state];
      return quietMs > IMPATIENT_MS ? ['suspect'] : [state, 'suspect'];
    }
    return [state];
  }

  /** Takes what the machine made of it. */
  take(next: LivenessState): void {
    if (next === 'suspect' && !this.isDoubted) this.suspicions.push(this.now);
    if (next === 'suspect' || (next === 'dead' && this.state !== 'dead')) this.isDoubted = true;
    if (next === 'alive') this.isDoubted = false;
    this.state = next;
  }
}

/** Lets a machine and the model go through the same, and holds the one against the other after each step. */
class Trial {
  realMs = 0;
  readonly model = new Model();
  readonly machine = new MemberLiveness(OPTIONS);
  readonly clock = new RunningClock(TICK_MS, () => this.realMs);
  /** Every change of the state, `alive>suspect`. */
  readonly seen = new Set<string>();

  go(step: Step): void {
    const { model } = this;
    switch (step.do) {
      case 'run':
        for (let i = 1; i <= step.ticks; i += 1) {
          this.advance(TICK_MS);
          if (step.every !== 0 && i % step.every === 0) this.frame();
          this.tick();
        }
        return;
      case 'stall':
        this.advance(TICK_MS);
        this.realMs += step.ms;
        if (step.framesFirst) this.frame();
        return this.tick();
      case 'frame':
        return this.frame();
      case 'drain':
        if (!model.isOpen) return;
        this.frame();
        this.machine.draining();
        return this.expect('draining', ['draining']);
      case 'replace':
        return this.end(HARMLESS, 'peer', [model.state]);
      case 'idle':
        return this.end(['idle'], 'us', ['unknown']);
      case 'bye':
        return this.end(GOODBYES, 'peer', ['dead']);
      case 'break':
        return this.end(BROKEN, 'us', ['suspect']);
      case 'unreachable':
        if (model.isOpen) return;
        if (model.state === 'unknown') model.quietSince = model.now;
        this.machine.notReached('unreachable', this.clock.now());
        return this.expect(step.do, model.state === 'dead' ? ['dead'] : [model.isKnown ? 'suspect' : 'unknown']);
      case 'restart':
        return this.open(model.generation + 1);
      case 'reopen':
        return this.open(Math.max(1, model.generation));
    }
  }

  advance(ms: number): void {
    this.realMs += ms;
    this.model.now += ms;
  }

  tick(): void {
    this.clock.tick();
    this.machine.tick(this.clock.now());
    this.expect('tick', this.model.afterTick());
  }

  frame(): void {
    if (!this.model.isOpen) return;
    this.model.hear();
    this.machine.heard(this.clock.now());
    this.expect('frame', this.model.afterFrame());
  }

  open(generation: number): void {
    const { model } = this;
    const isNew = generation !== model.generation;
    if (isNew) Object.assign(model, { suspicions: [], isDoubted: false, heard: [] });
    if (!model.isOpen) model.heard = [];
    Object.assign(model, { isOpen: true, generation, isKnown: true });
    model.hear();
    this.machine.opened(generation, this.clock.now());
    this.expect('opened', isNew ? ['alive'] : model.afterFrame());
    assert.equal(this.machine.facts.generation, generation);
  }

  end(
    reasons: readonly Parameters<MemberLiveness['ended']>[0][],
    by: 'us' | 'peer',
    allowed: readonly LivenessState[],
  ): void {
    if (!this.model.isOpen) return;
    this.model.isOpen = false;
    const reason = reasons[this.realMs % reasons.length] ?? 'connection_error';
    this.machine.ended(reason, by, this.clock.now());
    this.expect(reason, allowed);
  }

  expect(what: string, allowed: readonly LivenessState[]): void {
    const { state, reason } = this.machine.facts;
    const { model } = this;
    const facts = `${model.state} -> ${state} (${reason}) after ${what} at ${this.realMs}, quiet for ${model.quietMs}`;
    assert.ok(allowed.includes(state), `${facts}: only ${allowed.join(', ')} would be right`);
    if (state !== model.state) this.seen.add(`${model.state}>${state}`);
    model.take(state);
  }
}

test('whatever happens to a peer, it is held for what the rules permit', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(steps, all => {
      const trial = new Trial();
      for (const step of all) trial.go(step);
      for (const change of trial.seen) seen.add(change);
    }),
    { numRuns: 3_000, examples: [[[...EVERY_CHANGE]]] },
  );
  const expected =
    'alive>suspect alive>draining alive>unknown alive>dead suspect>alive suspect>dead suspect>draining dead>suspect ' +
    'dead>alive draining>suspect draining>dead draining>alive unknown>alive unknown>suspect';
  assert.deepEqual(
    expected.split(' ').filter(change => !seen.has(change)),
    [],
    'all of it was tried',
  );
});

test('a peer whose heartbeats come late by up to a whole interval is never suspected', () => {
  const late = fc.array(fc.integer({ min: 0, max: HEARTBEAT_MS }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(late, delays => {
      const machine = new MemberLiveness(OPTIONS);
      machine.opened(1, 0);
      const arrivals = delays.map((delay, index) => (index + 1) * HEARTBEAT_MS + delay).toSorted((a, b) => a - b);
      for (let now = TICK_MS; now <= delays.length * HEARTBEAT_MS; now += TICK_MS) {
        while ((arrivals[0] ?? Number.POSITIVE_INFINITY) <= now) machine.heard(arrivals.shift() ?? now);
        machine.tick(now);
        assert.equal(machine.facts.state, 'alive', `at ${now}`);
      }
    }),
    { numRuns: 500 },
  );
});

test('stalls of this process suspect nobody, and nobody dies of them', () => {
  const stalls = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(stalls, fc.boolean(), (all, isBroken) => {
      const trial = new Trial();
      trial.go({ do: 'reopen' });
      if (isBroken) trial.go({ do: 'break' });
      for (const [index, ms] of all.entries()) {
        trial.go({ do: 'stall', ms, framesFirst: false });
        if (index % 4 === 3) trial.frame();
        // A peer that is away is dead when this process ran for the timeout, and not before.
        const dead = isBroken && (index + 1) * TICK_MS >= TIMEOUT_MS;
        assert.equal(trial.machine.facts.state, isBroken ? (dead ? 'dead' : 'suspect') : 'alive');
      }
    }),
    { numRuns: 500 },
  );
});

test('a process that is paused again and again is suspected ever more rarely, not flapping', () => {
  const pauses = fc.array(
    fc.record({
      pauseMs: fc.integer({ min: TIMEOUT_MS + TICK_MS, max: 2 * TIMEOUT_MS }),
      runMs: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 20 })).map(n => n * HEARTBEAT_MS),
    }),
    { minLength: 20, maxLength: 60 },
  );
  fc.assert(
    fc.property(pauses, all => {
      const machine = new MemberLiveness(OPTIONS);
      machine.opened(1, 0);
      let now = 0;
      const recoveries: number[] = [];
      const advance = (ms: number, isHeard: boolean) => {
        for (const end = now + ms; now < end; ) {
          now += TICK_MS;
          const before = machine.facts.state;
          if (isHeard && now % HEARTBEAT_MS === 0) machine.heard(now);
          machine.tick(now);
          if (before === 'suspect' && machine.facts.state === 'alive') recoveries.push(now);
        }
      };
      for (const { pauseMs, runMs } of all) {
        advance(pauseMs, false);
        assert.equal(machine.facts.state, 'suspect');
        advance(runMs, true);
      }
      for (const from of recoveries) {
        const within = recoveries.filter(at => at >= from && at < from + MEMORY_MS);
        // After the first of them 2, 4, 8 and 16 heartbeats are heard, and 32 more would be longer than the memory lasts.
        assert.ok(within.length <= 5, `alive again at ${within.join(', ')}`);
      }
    }),
    { numRuns: 300 },
  );
});
