import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { LoopbackNode, loopback } from '../../test/kit/loopback-node.ts';
import { helloOf, introductionOf, RawDialler } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import { introduceMethod, type WireIntroduction } from './frame.ts';

const PEER = { name: 'node-b', address: loopback(9) };

test('a peer that says nothing is refused after the deadline', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', options: { helloTimeoutMs: 30 } });
  using peer = new RawDialler(node.port).read();
  await until('it is refused', () => peer.status !== undefined);
  assert.equal(peer.status?.code, grpc.status.FAILED_PRECONDITION);
  assert.deepEqual(peer.status?.metadata.get('selvedge-reason'), ['handshake_timeout']);
  assert.equal(await node.refusals('handshake_timeout'), 1);
});

test('a peer that goes away before it says Hello is not a refusal', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  {
    using peer = new RawDialler(node.port).read();
    peer.call.end();
    await until('the call is over', () => peer.status !== undefined);
  }
  assert.deepEqual(node.logged('connection.refused'), []);
});

test('a Hello that is malformed is refused, and nothing of it is repeated', async t => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  const cases = {
    'no introduction': { hello: { protocolMin: 1, protocolMax: 1 } },
    'another frame': { heartbeat: { sequence: 1 } },
    'a name that is none': helloOf('EVIL\u001b[31m'),
    'a generation of 0': helloOf('node-b', { generation: 0 }),
    'an address that is none': helloOf('node-b', { advertisedAddresses: ['ftp://EVIL'] }),
    'a mode that is none': helloOf('node-b', { mode: 'EVIL' }),
  };
  for (const [name, frame] of Object.entries(cases)) {
    await t.test(name, async () => {
      using peer = new RawDialler(node.port).read();
      peer.call.write(frame);
      await until('it is refused', () => peer.status !== undefined);
      assert.deepEqual(peer.status?.metadata.get('selvedge-reason'), ['handshake_failed']);
      assert.doesNotMatch(String(peer.status?.details), /EVIL/);
    });
  }
  assert.doesNotMatch(JSON.stringify(node.log), /EVIL/);
  assert.equal(node.peer('node-b')?.generation, undefined);
});

test('a Hello in a protocol of the future is refused by name', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  using peer = new RawDialler(node.port).read();
  peer.call.write({ hello: { introduction: introductionOf('node-b'), protocolMin: 4, protocolMax: 5 } });
  await until('it is refused', () => peer.status !== undefined);
  assert.deepEqual(peer.status?.metadata.get('selvedge-reason'), ['protocol_version']);
});

test('a frame of a kind from the future is no offence', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  peer.call.write({});
  peer.call.write({ draining: {} });
  await until('what comes after it is answered', () => peer.frames.some(({ body }) => body === 'drainingAcknowledged'));
  assert.equal(node.peer('node-b')?.state, 'draining');
});

test('a second Hello ends the stream', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  peer.call.write(helloOf('node-b'));
  await until('the stream is over', () => peer.status !== undefined);
  assert.equal(peer.frames.at(-1)?.goodbye?.reason, 'connection_error');
});

test('a stream cannot become that of another node', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  peer.call.write({ advertisement: { introduction: introductionOf('node-c') } });
  await until('the stream is over', () => peer.status !== undefined);
  assert.equal(peer.frames.at(-1)?.goodbye?.reason, 'connection_error');
});

test('a closed node takes no Hello', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows(PEER);
  await node.streams.close();
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  await until('it is turned away', () => peer.status !== undefined);
  assert.equal(peer.status?.code, grpc.status.UNAVAILABLE);
});

test('who would be let in is told all of this node, and who would not as little as anybody', async () => {
  await using node = await LoopbackNode.start({
    name: 'node-a',
    provesNode: name => (name === 'node-c' ? { ok: false, detail: 'it does not' } : { ok: true }),
  });
  node.knows(PEER, { name: 'node-c', address: loopback(9) });
  const asked = (name: string) => introduced(node.port, name);
  const short = { clusterName: 'test', nodeName: 'node-a', generation: 1, mode: 'plain', version: '0.0.0' };
  const { advertisedAddresses, labels, zone, weight } = await asked('node-b');
  assert.deepEqual([advertisedAddresses, labels], [[`http://127.0.0.1:${node.port}`], { role: 'node-a' }]);
  assert.deepEqual([zone, weight], ['zone of node-a', 0]);
  for (const name of ['', 'node-c', 'node-d', '{node-name}\n'])
    assert.deepEqual(await asked(name), {
      ...short,
      advertisedAddresses: [],
      labels: {},
      serverCertificateSha256: '',
      zone: '',
      weight: 1,
      // What the protobuf runtime adds for a field that may be left out.
      _weight: 'weight',
    });
});

function introduced(port: number, nodeName: string): Promise<WireIntroduction> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = introduceMethod;
  return new Promise<WireIntroduction>((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { nodeName }, (error, answer) => {
      if (answer === undefined) reject(error);
      else resolve(answer);
    });
  }).finally(() => client.close());
}
