import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PRIORITIES } from '../../src/exchange/request-route.ts';
import { type Entry, messageId, type Outcome, type ProcessName } from '../faults/journal.ts';
import { auditJournals, type ProcessJournal } from '../faults/ledger.ts';

// The judge of the fault tests (`npm run test:faults`): it must find what they are there to find.

const SLACK_MS = 100;
const TIMEOUT_MS = 1_000;
const A: ProcessName = { node: 'a', generation: 1 };
const B: ProcessName = { node: 'b', generation: 4 };
const B_AGAIN: ProcessName = { node: 'b', generation: 5 };
const FIRST = messageId(A, 1);
const SECOND = messageId(A, 2);

type Facts = Partial<Omit<ProcessJournal, 'node' | 'generation' | 'entries'>>;

function journal(name: ProcessName, entries: readonly Entry[], facts: Facts = {}): ProcessJournal {
  return { ...name, entries, killedAtMs: undefined, pauses: [], ...facts };
}

type Sent = Extract<Entry, { what: 'sent' }>;
type Received = Extract<Entry, { what: 'received' }>;

const sent = (id: string, facts: Partial<Sent> = {}): Entry => ({
  what: 'sent',
  atMs: 0,
  id,
  to: 'b',
  way: 'request',
  priority: 'normal',
  timeoutMs: TIMEOUT_MS,
  ...facts,
});
const settled = (id: string, outcome: Outcome, atMs = 10): Entry => ({ what: 'settled', atMs, id, outcome });
const received = (id: string, facts: Partial<Received> = {}): Entry => ({
  what: 'received',
  atMs: 5,
  id,
  from: 'a',
  way: 'request',
  priority: 'normal',
  ...facts,
});
const answered = (by: ProcessName): Outcome => ({ kind: 'answered', by });
const failed = (safeToRetry: boolean | undefined): Outcome => ({
  kind: 'failed',
  reason: 'stream_lost',
  detail: '',
  safeToRetry,
});

const violationsOf = (...processes: readonly ProcessJournal[]) => auditJournals(processes, SLACK_MS).violations;
/** `a` sent a request, and `b` may have received it. */
const afterOneRequest = (ends: readonly Entry[], receipts: readonly Entry[], facts: Facts = {}) =>
  violationsOf(journal(A, [sent(FIRST), ...ends], facts), journal(B, receipts));

test('what ended as promised is no violation, and is counted', () => {
  const { violations, counts } = auditJournals(
    [
      journal(A, [
        sent(FIRST),
        sent(SECOND, { way: 'send' }),
        sent(messageId(A, 3), { way: 'call' }),
        settled(SECOND, { kind: 'taken' }),
        settled(FIRST, answered(B)),
        settled(messageId(A, 3), failed(undefined)),
      ]),
      journal(B, [received(FIRST), received(SECOND, { way: 'send' })]),
    ],
    SLACK_MS,
  );
  assert.deepEqual(violations, []);
  assert.deepEqual(Object.fromEntries(counts), {
    'request answered': 1,
    'send taken': 1,
    'call failed stream_lost': 1,
  });
});

test('a message that never ends is lost, unless its sender was killed before it was due', () => {
  assert.deepEqual(afterOneRequest([], []), [`${FIRST} never ended`]);
  assert.deepEqual(afterOneRequest([], [], { killedAtMs: TIMEOUT_MS }), []);
  const [violation = ''] = afterOneRequest([], [], { killedAtMs: TIMEOUT_MS + SLACK_MS + 1 });
  assert.match(violation, /had not ended when its sender was killed/);
});

test('an end after the deadline is late, unless the sender was stopped meanwhile', () => {
  const late = settled(FIRST, failed(false), TIMEOUT_MS + SLACK_MS + 500);
  assert.match(afterOneRequest([late], []).join(), /ended after 1600 ms/);
  assert.deepEqual(afterOneRequest([late], [], { pauses: [{ fromMs: 200, toMs: 700 }] }), []);
  assert.equal(afterOneRequest([late], [], { pauses: [{ fromMs: -900, toMs: 400 }] }).length, 1);
  assert.equal(afterOneRequest([late], [], { pauses: [{ fromMs: 1_700, toMs: 9_000 }] }).length, 1);
});

test('a message ends once', () => {
  const ends = [settled(FIRST, answered(B)), settled(FIRST, failed(false))];
  assert.deepEqual(afterOneRequest(ends, [received(FIRST)]), [`${FIRST} ended twice: answered, then failed`]);
});

test('an answer comes from the process that received the request', () => {
  assert.match(afterOneRequest([settled(FIRST, answered(B))], []).join(), /which did not receive it/);
  assert.match(afterOneRequest([settled(FIRST, answered(B_AGAIN))], [received(FIRST)]).join(), /b\/5, which did not/);
  assert.match(afterOneRequest([settled(FIRST, answered(A))], [received(FIRST)]).join(), /answered by a$/);
});

test('what is taken was received', () => {
  assert.match(afterOneRequest([settled(FIRST, { kind: 'taken' })], []).join(), /did not receive it/);
});

test('what is safe to send again was received by nobody', () => {
  assert.match(afterOneRequest([settled(FIRST, failed(true))], [received(FIRST)]).join(), /safe to send again/);
  assert.deepEqual(afterOneRequest([settled(FIRST, failed(true))], []), []);
  assert.deepEqual(afterOneRequest([settled(FIRST, failed(false))], [received(FIRST)]), []);
});

test('nothing is received twice, by the same process or by the next of its node', () => {
  const end = settled(FIRST, answered(B));
  assert.match(afterOneRequest([end], [received(FIRST), received(FIRST)]).join(), /received 2 times: b\/4, b\/4/);
  const over = violationsOf(
    journal(A, [sent(FIRST), end]),
    journal(B, [received(FIRST)]),
    journal(B_AGAIN, [received(FIRST)]),
  );
  assert.match(over.join(), /received 2 times: b\/4, b\/5/);
});

test('a message is received as what it was sent, from who sent it, by whom it was sent to', () => {
  const end = settled(FIRST, failed(false));
  for (const facts of [{ from: 'c' }, { way: 'send' }, { priority: 'bulk' }] as const)
    assert.equal(afterOneRequest([end], [received(FIRST, facts)]).length, 1, JSON.stringify(facts));
  const c = { node: 'c', generation: 1 };
  const strayed = violationsOf(journal(A, [sent(FIRST), end]), journal(c, [received(FIRST)]));
  assert.deepEqual(strayed, [`${FIRST} was sent to b and received by c`]);
});

test('what nobody sent is neither received nor does it end', () => {
  assert.deepEqual(violationsOf(journal(B, [received(FIRST)])), [`${FIRST} was received and never sent`]);
  assert.deepEqual(violationsOf(journal(A, [settled(FIRST, failed(true))])), [`${FIRST} ended and was never sent`]);
  assert.match(violationsOf(journal(A, [sent(FIRST), sent(FIRST)])).join(), /sent twice under one id/);
});

test('messages of one priority keep their order; calls and other priorities have none', () => {
  const ends = [settled(FIRST, failed(false)), settled(SECOND, failed(false))];
  const swapped = (first: Pick<Partial<Sent>, 'way' | 'priority'>, second: typeof first) =>
    violationsOf(
      journal(A, [sent(FIRST, first), sent(SECOND, second), ...ends]),
      journal(B, [received(SECOND, second), received(FIRST, first)]),
    );
  assert.deepEqual(swapped({}, {}), [`b received ${SECOND} before ${FIRST}`]);
  assert.equal(swapped({ way: 'send' }, {}).length, 1);
  assert.deepEqual(swapped({ priority: 'bulk' }, {}), []);
  assert.deepEqual(swapped({ way: 'call' }, {}), []);
});

test('of a history of many messages that keeps the promises, whatever entry is left out or doubled is found', () => {
  const step = fc.record({ way: fc.constantFrom('request', 'send'), priority: fc.constantFrom(...PRIORITIES) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.nat(), fc.boolean(), (steps, at, isDoubled) => {
      const a: Entry[] = [];
      const b: Entry[] = [];
      for (const [index, { way, priority }] of steps.entries()) {
        const id = messageId(A, index);
        a.push(sent(id, { way, priority }));
        b.push(received(id, { way, priority }));
        a.push(settled(id, way === 'send' ? { kind: 'taken' } : answered(B)));
      }
      assert.deepEqual(violationsOf(journal(A, a), journal(B, b)), []);
      const place = at % (a.length + b.length);
      const [list, index] = place < a.length ? [a, place] : [b, place - a.length];
      list.splice(index, 1, ...(isDoubled ? list.slice(index, index + 1).flatMap(entry => [entry, entry]) : []));
      assert.notDeepEqual(violationsOf(journal(A, a), journal(B, b)), []);
    }),
  );
});
