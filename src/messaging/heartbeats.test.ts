import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Beating, Heartbeats } from './heartbeats.ts';

const OPTIONS = { heartbeatIntervalMs: 800, heartbeatTimeoutMs: 2_000 };

/** Streams under a clock of the test; the timer of the process is too slow to come in between. */
class Bench {
  now = 0;
  readonly heartbeats: Heartbeats;

  constructor(random: () => number = () => 0) {
    this.heartbeats = new Heartbeats(OPTIONS, { clock: () => this.now, random });
  }

  /** Turn by turn, to and including `untilMs`. */
  run(untilMs: number): void {
    while (this.now + 100 <= untilMs) {
      this.now += 100;
      this.heartbeats.look();
    }
  }
}

class FakeStream implements Beating {
  framesSent = 0;
  framesSeen = 0;
  readonly beats: number[] = [];
  readonly silences: number[] = [];
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.heartbeats.add(this);
  }

  beat(): void {
    this.framesSent += 1;
    this.beats.push(this.#bench.now);
  }

  fellSilent(): void {
    this.silences.push(this.#bench.now);
  }
}

test('a stream over which nothing else is sent beats once an interval', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  bench.run(4_000);
  assert.deepEqual(stream.beats, [100, 900, 1_700, 2_500, 3_300]);
});

test('a timer that comes a little late or early does not make an interval longer by a turn', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  for (const now of [101, 203, 305, 407, 509, 611, 713, 815, 898]) {
    bench.now = now;
    bench.heartbeats.look();
  }
  assert.deepEqual(stream.beats, [101, 898]);
});

test('any frame that is sent takes the place of a heartbeat, and no interval passes without one', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  bench.run(100);
  for (const untilMs of [300, 900, 1_500, 2_100]) {
    bench.run(untilMs);
    stream.framesSent += 1;
  }
  assert.deepEqual(stream.beats, [100]);
  bench.run(4_000);
  assert.deepEqual(stream.beats.slice(0, 2), [100, 2_900]);
});

test('streams that open in one turn do not beat in one turn', () => {
  let opened = 0;
  const bench = new Bench(() => {
    opened += 1;
    return (opened - 0.5) / 16;
  });
  const streams = Array.from({ length: 16 }, () => new FakeStream(bench));
  bench.run(8_000);
  const perTurn = new Map<number, number>();
  for (const { beats } of streams) for (const at of beats) perTurn.set(at, (perTurn.get(at) ?? 0) + 1);
  assert.ok(Math.max(...perTurn.values()) <= 2, JSON.stringify([...perTurn]));
});

test('a stream over which nothing comes in is silent after the timeout, and again after another one', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  bench.run(500);
  stream.framesSeen += 1;
  bench.run(2_500);
  assert.deepEqual(stream.silences, []);
  bench.run(5_000);
  assert.deepEqual(stream.silences, [2_600, 4_600]);
});

test('a process that was stalled for longer than the timeout asks each stream once', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  bench.now = 60_000;
  bench.heartbeats.look();
  bench.heartbeats.look();
  assert.deepEqual([stream.silences, stream.beats], [[60_000], [60_000]]);
});

test('a stream that was removed is told nothing more', () => {
  const bench = new Bench();
  const stream = new FakeStream(bench);
  bench.heartbeats.remove(stream);
  bench.run(8_000);
  assert.deepEqual([stream.beats, stream.silences], [[], []]);
});
