import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopbackNode, loopback, mutualTls } from '../../test/kit/loopback-node.ts';
import { helloOf, RawDialler } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { AdmissionAnswer, AdmissionQuestion } from './admission-question.ts';
import type { Frame } from './frame.ts';

const QUESTION: AdmissionQuestion = {
  leafDer: Buffer.from('leaf'),
  intermediates: [Buffer.from('intermediate')],
  usages: ['client', 'server'],
};
const EVERYBODY = { choose: (nodes: readonly string[]) => nodes, timeoutMs: 600_000 };
const REFUSED: AdmissionAnswer = { judged: true, admitted: false, reason: 'unknown_ca', detail: 'of a stranger' };
const WIRE = { id: 5, chain: [Buffer.from('leaf')], usages: ['client'] };

test('a question and its answer go over the stream, whichever side dialled', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', judgeAdmission: () => REFUSED });
  await using b = await LoopbackNode.start({
    name: 'node-b',
    judgeAdmission: () => ({ judged: true, admitted: true }),
  });
  a.outbound = b.inbound = mutualTls();
  b.knows(a);
  a.knows(b).streams.start();
  await until('they are connected', () => b.peer('node-a')?.state === 'connected');
  await until('both know', () => a.peer('node-b')?.state === 'connected');
  assert.deepEqual(await a.streams.ask(QUESTION, EVERYBODY), [
    { node: 'node-b', answer: { judged: true, admitted: true } },
  ]);
  assert.deepEqual(await b.streams.ask(QUESTION, EVERYBODY), [{ node: 'node-a', answer: REFUSED }]);
  assert.deepEqual(b.asked, [{ name: 'node-a', question: QUESTION }]);
  assert.deepEqual(await a.streams.ask(QUESTION, { ...EVERYBODY, choose: () => ['node-c'] }), []);
});

test('over plaintext nobody is asked, and who asks gets no answer and stays connected', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', judgeAdmission: () => REFUSED });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = await connected(node, helloOf('node-b', {}, 2));
  assert.deepEqual(await node.streams.ask(QUESTION, EVERYBODY), []);
  await asksInVain(node, peer);
});

test('a peer of an older protocol is not asked, and gets no answer', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', judgeAdmission: () => REFUSED });
  node.inbound = mutualTls();
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = await connected(node, helloOf('node-b', {}, 1));
  assert.deepEqual(await node.streams.ask(QUESTION, EVERYBODY), []);
  await asksInVain(node, peer);
});

test('a malformed question ends the stream with a goodbye', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.inbound = mutualTls();
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = await connected(node, helloOf('node-b', {}, 2));
  peer.call.write({ admissionQuestion: { ...WIRE, chain: [Buffer.alloc(40_000)] } });
  await until('it is told', () => peer.frames.at(-1)?.goodbye?.reason === 'connection_error');
  assert.equal(node.asked.length, 0);
});

test('of a flood of questions only the first is judged, and the stream stays', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', judgeAdmission: () => REFUSED });
  node.inbound = mutualTls();
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = await connected(node, helloOf('node-b', {}, 2));
  for (let id = 1; id <= 1_000; id += 1) peer.call.write({ admissionQuestion: { ...WIRE, id } });
  peer.call.write({ draining: {} });
  await until('the flood is over', () => node.peer('node-b')?.state === 'draining');
  assert.equal(node.received.admissionQuestion, 1_000);
  assert.ok(node.asked.length > 0 && node.asked.length < 500, `${node.asked.length} were judged`);
  await until('there are answers', () => peer.frames.some(frame => frame.admissionAnswer?.judged === true));
});

test('who connects anew has no more questions judged for it', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', judgeAdmission: () => REFUSED });
  node.inbound = mutualTls();
  node.knows({ name: 'node-b', address: loopback(9) });
  for (const generation of [1, 2]) {
    using peer = await connected(node, helloOf('node-b', { generation }, 2));
    const answers = () => peer.frames.filter(frame => frame.admissionAnswer).length;
    for (let id = 1; id <= 80; id += 1) {
      peer.call.write({ admissionQuestion: { ...WIRE, id } });
      await until('it is answered', () => answers() === id);
    }
    assert.equal(node.asked.length, 60);
    peer.call.cancel();
    await until('it is gone', () => node.peer('node-b')?.state !== 'connected');
  }
});

test('where the peer is silent there is no answer, at the deadline or when the stream ends', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.inbound = mutualTls();
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = await connected(node, helloOf('node-b', {}, 2));
  assert.deepEqual(await node.streams.ask(QUESTION, { ...EVERYBODY, timeoutMs: 1 }), [
    { node: 'node-b', answer: undefined },
  ]);
  const asking = node.streams.ask(QUESTION, EVERYBODY);
  await until('it was asked twice', () => peer.frames.filter(frame => frame.admissionQuestion).length === 2);
  await node.streams.close();
  assert.deepEqual(await asking, [{ node: 'node-b', answer: undefined }]);
});

async function connected(node: LoopbackNode, hello: Frame): Promise<RawDialler> {
  const peer = new RawDialler(node.port).read();
  peer.call.write(hello);
  await until('it is connected', () => node.peer('node-b')?.state === 'connected');
  return peer;
}

/** Asks, and then says something that is answered. */
async function asksInVain(node: LoopbackNode, peer: RawDialler): Promise<void> {
  peer.call.write({ admissionQuestion: WIRE });
  peer.call.write({ draining: {} });
  await until('what came later is answered', () => peer.frames.some(({ body }) => body === 'drainingAcknowledged'));
  assert.ok(!peer.frames.some(({ body }) => body === 'admissionAnswer'));
  assert.deepEqual(node.asked, []);
  assert.equal(node.logged('peer.disconnected').length, 0);
}
