import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { InboundRequest } from '../../src/exchange/inbound-request.ts';
import { PeerExchange, type StreamEnd } from '../../src/exchange/peer-exchange.ts';
import { costOf, PRIORITY_INDEXES } from '../../src/exchange/record.ts';
import { PRIORITIES, type RequestOutcome } from '../../src/exchange/request-route.ts';
import type { BatchPipe, StreamExchange } from '../../src/exchange/stream-exchange.ts';
import type { StreamGuard } from '../../src/rpc/stream-guard.ts';
import { post as posted } from '../kit/exchange-pair.ts';

const LIMITS = { maxMessageBytes: 150_000, queueBytes: 400_000, windowBytes: 20_000 };
const SIZES = [5, 60, 900, 3_000, 30_000, 66_000, 140_000];
const NOTHING = Buffer.alloc(0);

type Side = 0 | 1;
type Manner = 'replies' | 'holds' | 'refuses' | 'throws';
const MANNERS: readonly Manner[] = ['replies', 'holds', 'refuses', 'throws'];

const side = fc.constantFrom<Side>(0, 1);
const post = fc.record({
  do: fc.constant('post' as const),
  side,
  isOneWay: fc.boolean(),
  priority: fc.constantFrom(...PRIORITIES),
  size: fc.constantFrom(...SIZES),
  manner: fc.constantFrom<Manner>('replies', 'replies', 'replies', 'holds', 'holds', 'refuses', 'throws'),
  timeoutMs: fc.constantFrom(undefined, undefined, undefined, 2, 20, 90),
  times: fc.constantFrom(1, 1, 1, 5, 40),
});
const calm = [
  post,
  post,
  post,
  fc.record({ do: fc.constant('answer' as const), side, index: fc.nat(8), size: fc.constantFrom(...SIZES) }),
  fc.record({ do: fc.constant('giveUp' as const), index: fc.nat(40) }),
  fc.record({ do: fc.constant('flow' as const) }),
  fc.record({ do: fc.constant('flow' as const) }),
  fc.record({ do: fc.constant('turn' as const), times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('deliver' as const), side, index: fc.nat(2), times: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ do: fc.constant('connect' as const), side }),
] as const;
const retire = fc.record({ do: fc.constant('retire' as const), side, index: fc.nat(2) });
const rough = [
  ...calm,
  retire,
  fc.record({ do: fc.constant('lose' as const), side, index: fc.nat(2), arriving: fc.nat(2) }),
  fc.record({ do: fc.constant('close' as const), side, index: fc.nat(2) }),
  fc.record({ do: fc.constant('pause' as const), side }),
  fc.record({ do: fc.constant('restart' as const), side }),
] as const;
type Step = { [Index in keyof typeof rough]: (typeof rough)[Index] extends fc.Arbitrary<infer T> ? T : never }[number];

/** Time and turns of the event loop, which go on when they are told to. */
class World {
  now = 1_000;
  #turn: (() => void)[] = [];
  readonly #tick: (ms: number) => void;

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    this.#tick = ms => t.mock.timers.tick(ms);
    t.mock.method(performance, 'now', () => this.now);
    const later = (act: () => void) => void this.#turn.push(act);
    t.mock.method(globalThis, 'setImmediate', later);
    t.mock.method(process, 'nextTick', later);
  }

  turn(): void {
    const turn = this.#turn;
    this.#turn = [];
    for (const act of turn) act();
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1) {
      this.now += 1;
      this.#tick(1);
    }
  }
}

/** One direction of a stream: what was sent arrives when it is told to. */
class Pipe implements BatchPipe {
  receive: (batch: Buffer) => void = () => {};
  readonly #sent: (() => void)[] = [];

  write(batch: Buffer, done: () => void): void {
    this.#sent.push(() => {
      done();
      this.receive(batch);
    });
  }

  /** What happens when all has arrived. */
  atEnd(act: () => void): void {
    this.#sent.push(act);
  }

  /** All but the first few is lost. */
  cut(arriving: number): void {
    this.#sent.length = Math.min(this.#sent.length, arriving);
  }

  deliver(): boolean {
    const next = this.#sent.shift();
    next?.();
    return next !== undefined;
  }
}

interface Stream {
  /** The side that dialled has none until it has read the Welcome. */
  readonly ends: [StreamExchange | undefined, StreamExchange | undefined];
  /** To each side. */
  readonly pipes: readonly [Pipe, Pipe];
  readonly owners: readonly [Process, Process];
  isOver: boolean;
}

interface Sent {
  readonly token: number;
  readonly from: Process;
  readonly isOneWay: boolean;
  readonly manner: Manner;
  readonly outcomes: RequestOutcome[];
  giveUp: () => void;
  served: number;
}

interface Process {
  readonly side: Side;
  readonly generation: number;
  readonly exchange: PeerExchange;
  readonly held: InboundRequest[];
}

class Cluster {
  readonly sent: Sent[] = [];
  readonly streams: Stream[] = [];
  readonly #world: World;
  #processes: [Process, Process];
  #generation = 0;
  /** The last token that was served, by sender and priority. */
  readonly #lastServed = new Map<string, number>();
  #streamsEver = 0;

  constructor(world: World) {
    this.#world = world;
    this.#processes = [this.#start(0), this.#start(1)];
  }

  step(step: Step): void {
    switch (step.do) {
      case 'post':
        for (let time = 0; time < step.times; time += 1) this.#post(step);
        return;
      case 'answer': {
        const { held } = this.#processes[step.side];
        const [request] = held.splice(step.index % Math.max(held.length, 1), 1);
        return request?.reply(NOTHING, payloadOf(tokenOf(request.payload), 0, step.size));
      }
      case 'giveUp':
        return this.sent.at(-1 - step.index)?.giveUp();
      case 'turn':
        for (let time = 0; time < step.times; time += 1) this.#world.turn();
        return;
      case 'deliver': {
        const stream = this.streams.slice(-3)[step.index];
        for (let time = 0; time < step.times; time += 1) stream?.pipes[step.side].deliver();
        return;
      }
      case 'flow':
        return this.#flow();
      case 'pass':
        return this.#world.pass(step.ms);
      case 'connect':
        return this.connect(step.side);
      case 'pause':
        return this.#processes[step.side].exchange.pause();
      case 'restart':
        return this.#restart(step.side);
      case 'retire':
        return this.#open(step.index)?.ends[step.side]?.leave();
      case 'lose':
        return this.#lose(this.#open(step.index), step.side, step.arriving);
      case 'close':
        return this.#close(this.#open(step.index), step.side);
    }
  }

  /** One dial at a time; `accepting` has the stream at once, the other side when it reads the Welcome. */
  connect(accepting: Side = 0): void {
    const open = this.streams.filter(({ isOver }) => !isOver);
    if (open.length >= 3 || open.some(({ ends }) => ends.includes(undefined))) return;
    const owners = this.#processes;
    const pipes = [new Pipe(), new Pipe()] as const;
    const stream: Stream = { ends: [undefined, undefined], pipes, owners: [...owners], isOver: false };
    const attach = (at: Side): void => {
      const way = { takesCalls: () => true, takesMessages: () => true };
      const { generation } = owners[other(at)];
      const end = owners[at].exchange.attach(pipes[other(at)], {} as StreamGuard, way, generation);
      stream.ends[at] = end;
      pipes[at].receive = batch => end.receive(batch);
    };
    attach(accepting);
    pipes[other(accepting)].atEnd(() => {
      if (this.#processes.includes(owners[accepting])) attach(other(accepting));
    });
    this.streams.push(stream);
    this.#streamsEver += 1;
  }

  /** Everything that can end does: a stream is there, all that is on its way arrives, all that is held is answered. */
  settle(): void {
    for (let round = 0; round < 60; round += 1) {
      if (round % 20 === 10) this.#closeDone();
      if (this.streams.every(({ isOver }) => isOver)) this.connect();
      for (let turn = 0; turn < 12; turn += 1) this.#flow();
      for (const { held } of this.#processes)
        for (const request of held.splice(0)) request.reply(NOTHING, payloadOf(tokenOf(request.payload), 0, 5));
      this.#world.pass(5);
    }
  }

  /** All that is ready is written, and all that was written arrives. */
  #flow(): void {
    this.#world.turn();
    for (const { pipes } of this.streams) for (const pipe of pipes) while (pipe.deliver());
  }

  check(isCalm: boolean): void {
    for (const { token, from, outcomes, served, isOneWay, manner } of this.sent) {
      if (!this.#processes.includes(from)) continue;
      assert.equal(outcomes.length, 1, `${token} was settled ${outcomes.length} times`);
      const [outcome] = outcomes;
      if (outcome?.kind === 'replied') {
        assert.equal(served, 1, `${token} was answered and served ${served} times`);
        assert.ok(isOneWay || tokenOf(outcome.payload) === token, `${token} got the answer of another`);
        assert.ok(isOneWay || manner !== 'throws');
      } else if (outcome !== undefined) {
        if (outcome.processed === 'no') assert.equal(served, 0, `${token} failed as ${outcome.reason} and was served`);
        if (outcome.processed === 'yes') assert.equal(served, 1);
        if (isCalm) assert.ok(outcome.reason !== 'stream_lost', `${token} was lost`);
      }
    }
    for (const { exchange, held } of this.#processes) {
      for (const priority of PRIORITY_INDEXES)
        assert.deepEqual([exchange.queue.requestBytes(priority), exchange.queue.answerBytes(priority)], [0, 0]);
      exchange.takeTraffic();
      assert.equal(exchange.takeTraffic(), false, 'something is on its way');
      assert.equal(held.length, 0);
    }
  }

  #start(at: Side): Process {
    this.#generation += 1;
    const process: Process = {
      side: at,
      generation: this.#generation,
      held: [],
      exchange: new PeerExchange({
        limits: LIMITS,
        serve: request => this.#serve(process, request),
        demand: () => {},
        printable: text => text,
      }),
    };
    return process;
  }

  #serve(process: Process, request: InboundRequest): void {
    assert.ok(this.#processes.includes(process), 'a process that is gone serves');
    const token = tokenOf(request.payload);
    const sent = this.sent[token];
    assert.ok(sent, `${token} was never sent`);
    if (sent.manner === 'refuses') return request.fail('no_handler');
    sent.served += 1;
    assert.equal(sent.served, 1, `${token} is served again`);
    const line = `${process.side} ${request.priority}`;
    assert.ok(token > (this.#lastServed.get(line) ?? -1), `${token} is served after ${this.#lastServed.get(line)}`);
    this.#lastServed.set(line, token);
    if (sent.manner === 'throws') return request.fail('handler_failed');
    if (sent.manner === 'replies') return request.reply(NOTHING, payloadOf(token, 0, 5 + (token % 3) * 40_000));
    process.held.push(request);
    request.onCancel(() => {
      const index = process.held.indexOf(request);
      if (index >= 0) process.held.splice(index, 1);
      // Its handler hears that, and comes to its end.
      setImmediate(() => request.handlerOver());
    });
    this.#checkWindow(process);
  }

  /** Of each priority a stream holds the window, and what the last one is over it. */
  #checkWindow({ held }: Process): void {
    for (const priority of PRIORITIES) {
      const costs = held.filter(each => each.priority === priority).map(each => costOf(0, each.payload.length));
      const most = (LIMITS.windowBytes + Math.max(...costs)) * this.#streamsEver;
      const sum = costs.reduce((all, cost) => all + cost, 0);
      assert.ok(sum < most || costs.length === 0, `${sum} bytes are held; ${most} may be`);
    }
  }

  #post({ side: at, isOneWay, priority, size, manner, timeoutMs }: Extract<Step, { do: 'post' }>): void {
    const from = this.#processes[at];
    const token = this.sent.length;
    const outcomes: RequestOutcome[] = [];
    const sent: Sent = { token, from, isOneWay, manner, outcomes, giveUp: () => {}, served: 0 };
    this.sent.push(sent);
    const payload = payloadOf(token, MANNERS.indexOf(manner), size);
    const request = { name: `kind-${token % 7}`, header: NOTHING, payload, priority, timeoutMs };
    const pending = posted(from.exchange, request, outcome => void outcomes.push(outcome), isOneWay);
    sent.giveUp = () => pending.cancel();
  }

  #open(index: number): Stream | undefined {
    const open = this.streams.filter(({ isOver }) => !isOver);
    return open[index % Math.max(open.length, 1)];
  }

  /** One side sees at once that the stream is gone; the other one after some of what was on its way there. */
  #lose(stream: Stream | undefined, at: Side, arriving: number): void {
    if (stream === undefined) return;
    stream.isOver = true;
    const { pipes } = stream;
    pipes[at].cut(0);
    this.#detach(stream, at, 'lost');
    pipes[other(at)].cut(arriving);
    pipes[other(at)].atEnd(() => this.#detach(stream, other(at), 'lost'));
  }

  /** One side ends the stream with its last words and a goodbye. */
  #close(stream: Stream | undefined, at: Side): void {
    const end = stream?.ends[at];
    if (stream === undefined || end === undefined) return;
    stream.isOver = true;
    const { pipes } = stream;
    for (let batch = end.takeLastBatch(); batch !== undefined; batch = end.takeLastBatch())
      pipes[other(at)].write(batch, () => {});
    pipes[at].cut(0);
    this.#detach(stream, at, 'lost');
    pipes[other(at)].atEnd(() => this.#detach(stream, other(at), 'closed'));
  }

  #detach({ ends, owners }: Stream, at: Side, how: StreamEnd): void {
    const end = ends[at];
    if (end !== undefined) owners[at].exchange.detach(end, how);
  }

  /** As nodes that close streams which both have left, and after a while those on which they said that they drain. */
  #closeDone(): void {
    for (const stream of this.streams)
      for (const at of [0, 1] as const)
        if (!stream.isOver && (isDone(stream.ends[at]) || stream.ends[other(at)]?.isPaused)) this.#close(stream, at);
  }

  #restart(at: Side): void {
    for (const stream of this.streams.filter(({ isOver }) => !isOver)) this.#lose(stream, at, 1);
    for (const { pipes } of this.streams) pipes[at].cut(0);
    const process = this.#start(at);
    this.#processes = at === 0 ? [process, this.#processes[1]] : [this.#processes[0], process];
  }
}

function isDone(end: StreamExchange | undefined): boolean {
  return end?.hasLeft === true && end.isPeerGone;
}

function other(at: Side): Side {
  return at === 0 ? 1 : 0;
}

function payloadOf(token: number, manner: number, size: number): Buffer {
  const payload = Buffer.alloc(size);
  payload.writeUInt32BE(token);
  payload[4] = manner;
  return payload;
}

function tokenOf(payload: Buffer): number {
  return payload.length < 4 ? -1 : payload.readUInt32BE(0);
}

function run(world: World, steps: readonly Step[], isCalm: boolean): void {
  const cluster = new Cluster(world);
  cluster.connect();
  for (const step of steps) cluster.step(step);
  cluster.settle();
  cluster.check(isCalm);
}

test('nothing is lost over streams that take the place of one another', t => {
  const world = new World(t);
  const steps = fc.array(fc.oneof(...calm), { minLength: 5, maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(steps, each => run(world, each, true)),
    { numRuns: Number(process.env.RUNS ?? 100) },
  );
});

/** The reply goes over a newer stream, which breaks before the side that asked has heard that the other one took it up. */
function replyOverLostStream(): Step[] {
  const request: Step = {
    do: 'post',
    side: 0,
    isOneWay: false,
    priority: 'high',
    size: 5,
    manner: 'replies',
    timeoutMs: undefined,
    times: 1,
  };
  const flow: Step = { do: 'flow' };
  return [request, flow, { do: 'connect', side: 0 }, flow, { do: 'lose', side: 0, index: 1, arriving: 0 }, flow];
}

test('over streams that break, close, pause and are replaced, every request is settled once and served at most once', t => {
  const world = new World(t);
  const steps = fc.array(fc.oneof(...rough), { minLength: 5, maxLength: 80, size: 'max' });
  fc.assert(
    fc.property(steps, each => run(world, each, false)),
    { numRuns: Number(process.env.RUNS ?? 200), examples: [[replyOverLostStream()]] },
  );
});
