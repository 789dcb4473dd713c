import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdmissionExchange } from './admission-exchange.ts';
import { type AdmissionAnswer, type AdmissionQuestion, parseAnswer } from './admission-question.ts';
import type { Frame, WireAdmissionQuestion } from './frame.ts';

const QUESTION: AdmissionQuestion = { leafDer: Buffer.from('leaf'), intermediates: [], usages: ['client'] };
const ADMITTED: AdmissionAnswer = { judged: true, admitted: true };
const NEVER_MS = 600_000;

test('a question reaches the other side whole, and its own answer comes back', async () => {
  const { one, other, judged } = pair(({ leafDer }) =>
    Buffer.from(leafDer).toString() === 'leaf'
      ? ADMITTED
      : { judged: true, admitted: false, reason: 'unknown_ca', detail: 'nobody vouches for it' },
  );
  const second: AdmissionQuestion = {
    leafDer: Buffer.from('b'),
    intermediates: [Buffer.from('c')],
    usages: ['server'],
  };
  const answers = Promise.all([one.ask(QUESTION, NEVER_MS), other.ask(second, NEVER_MS), one.ask(second, NEVER_MS)]);
  const refusal = { judged: true, admitted: false, reason: 'unknown_ca', detail: 'nobody vouches for it' };
  assert.deepEqual(await answers, [ADMITTED, refusal, refusal]);
  assert.deepEqual(judged, [QUESTION, second, second]);
});

test('a question is settled by its deadline, by the end of the stream, and where it cannot be sent', async () => {
  const deaf = new AdmissionExchange({ send: () => true, canSend: () => true, judge: () => ADMITTED });
  assert.equal(await deaf.ask(QUESTION, 1), undefined);
  const ending = deaf.ask(QUESTION, NEVER_MS);
  deaf.end();
  assert.equal(await ending, undefined);
  const congested = new AdmissionExchange({ send: () => false, canSend: () => false, judge: () => ADMITTED });
  assert.equal(await congested.ask(QUESTION, NEVER_MS), undefined);
});

test('an answer to a question that was not asked, or that came too late, is nothing', async () => {
  const exchange = new AdmissionExchange({ send: () => true, canSend: () => true, judge: () => ADMITTED });
  const answer = { id: 1, judged: true, reason: '', detail: '' };
  exchange.receive({ admissionAnswer: { ...answer, id: 7 } });
  const first = exchange.ask(QUESTION, NEVER_MS);
  exchange.receive({ admissionAnswer: { ...answer, reason: 'unknown_ca' } });
  exchange.receive({ admissionAnswer: answer });
  assert.deepEqual(await first, { judged: true, admitted: false, reason: 'unknown_ca', detail: '' });
});

test('a question whose answer the peer would not read is not judged', () => {
  let congested = true;
  let judged = 0;
  const sent: Frame[] = [];
  const exchange = new AdmissionExchange({
    send: frame => sent.push(frame) > 0,
    canSend: () => !congested,
    judge: () => {
      judged += 1;
      return ADMITTED;
    },
  });
  exchange.receive({ admissionQuestion: wire({ id: 1 }) });
  assert.deepEqual([judged, sent], [0, []]);
  congested = false;
  exchange.receive({ admissionQuestion: wire({ id: 2 }) });
  assert.deepEqual([judged, sent], [1, [{ admissionAnswer: { id: 2, judged: true, reason: '', detail: '' } }]]);
});

test('a malformed question is a breach of the protocol, whatever is wrong with it', () => {
  const exchange = new AdmissionExchange({
    send: () => true,
    canSend: () => true,
    judge: () => assert.fail('it must not be judged'),
  });
  const malformed: Record<string, Partial<WireAdmissionQuestion>> = {
    'no certificate': { chain: [] },
    'too many certificates': { chain: Array.from({ length: 11 }, () => Buffer.from('x')) },
    'too many bytes': { chain: [Buffer.alloc(32_769)] },
    'no usage': { usages: [] },
    'a usage nobody knows': { usages: ['client', 'ca'] },
    'a usage twice': { usages: ['client', 'client'] },
  };
  for (const [what, change] of Object.entries(malformed))
    assert.throws(() => exchange.receive({ admissionQuestion: wire(change) }), { code: 'refused' }, what);
  assert.throws(() => exchange.receive({ admissionQuestion: null }), { code: 'refused' });
});

test('a reason that this version does not know refuses all the same, and its text is made safe', () => {
  const answer = parseAnswer({ id: 1, judged: true, reason: 'of_a_newer_version', detail: `a\n${'b'.repeat(10_000)}` });
  assert.ok(answer.judged && !answer.admitted);
  assert.equal(answer.reason, 'handshake_failed');
  assert.doesNotMatch(answer.detail, /\n/);
  assert.ok(answer.detail.length < 1_000);
});

function wire(change: Partial<WireAdmissionQuestion>): WireAdmissionQuestion {
  return { id: 1, chain: [Buffer.from('leaf')], usages: ['client'], ...change };
}

/** Two ends; frames arrive in a later turn. */
function pair(judge: (question: AdmissionQuestion) => AdmissionAnswer) {
  const judged: AdmissionQuestion[] = [];
  const judging = (question: AdmissionQuestion) => {
    judged.push(question);
    return judge(question);
  };
  const sendTo = (end: () => AdmissionExchange) => (frame: Frame) => {
    setImmediate(() => end().receive(frame));
    return true;
  };
  const one: AdmissionExchange = new AdmissionExchange({
    send: sendTo(() => other),
    canSend: () => true,
    judge: judging,
  });
  const other: AdmissionExchange = new AdmissionExchange({
    send: sendTo(() => one),
    canSend: () => true,
    judge: judging,
  });
  return { one, other, judged };
}
