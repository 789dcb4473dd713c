import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { LoopbackNode, loopback, mutualTls } from '../../test/kit/loopback-node.ts';
import { introductionOf, rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { Frame } from './frame.ts';

const [FIRST, SECOND] = ['a'.repeat(64), 'b'.repeat(64)];

/** Two connected nodes; `a` dialled. Mutual TLS where `a` is to believe what `b` says. */
async function pair(security = mutualTls()): Promise<AsyncDisposable & { a: LoopbackNode; b: LoopbackNode }> {
  const a = await LoopbackNode.start({ name: 'node-a' });
  const b = await LoopbackNode.start({ name: 'node-b' });
  a.outbound = security;
  a.knows(b).streams.start();
  b.knows(a);
  await until('they are connected', () => b.peer('node-a')?.state === 'connected' && connected(a));
  const close = async () => void (await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]));
  return { a, b, [Symbol.asyncDispose]: close };
}

function connected(a: LoopbackNode): boolean {
  return a.peer('node-b')?.state === 'connected';
}

test('a node that shows another certificate now is dialled anew, once for each that it says', async () => {
  await using nodes = await pair();
  const { a, b } = nodes;
  for (const serverCertificateSha256 of [FIRST, SECOND]) {
    b.self.set({ ...b.self.value, serverCertificateSha256 });
    await until('node-a heard of it', () => a.renewed.at(-1)?.fingerprint === serverCertificateSha256);
  }
  b.self.set({ ...b.self.value, mode: 'optional' });
  await until('node-a heard of something else', () => a.peer('node-b')?.mode === 'optional');
  assert.deepEqual(a.renewed, [
    { name: 'node-b', fingerprint: FIRST },
    { name: 'node-b', fingerprint: SECOND },
  ]);
});

test('a certificate that was replaced between two streams is heard of at the next Welcome, and only then', async () => {
  await using nodes = await pair();
  const { a, b } = nodes;
  b.self.set({ ...b.self.value, serverCertificateSha256: FIRST });
  await until('node-a heard of it', () => a.renewed.length === 1);
  const again = async () => {
    const before = a.logged('peer.connected').length;
    a.streams.endWhere(() => true, 'credentials_rotated');
    await until('they are connected again', () => a.logged('peer.connected').length > before && connected(a));
  };
  await again();
  assert.equal(a.renewed.length, 1);
  b.streams.endWhere(() => true, 'credentials_rotated');
  b.self.set({ ...b.self.value, serverCertificateSha256: SECOND });
  await until('node-a heard of the other', () => a.renewed.length === 2);
  await again();
  assert.equal(a.renewed.length, 2);
});

test('without a certificate of its own nobody makes a node dial anew', async () => {
  await using nodes = await pair({ kind: 'none', reason: 'plaintext_peer' });
  const { a, b } = nodes;
  b.self.set({ ...b.self.value, serverCertificateSha256: FIRST });
  b.self.set({ ...b.self.value, mode: 'optional' });
  await until('node-a heard the last of it', () => a.peer('node-b')?.mode === 'optional');
  assert.deepEqual(a.renewed, []);
});

test('what changes between the Hello and the Welcome is advertised', async () => {
  let heard: string | undefined;
  let held: grpc.ServerDuplexStream<Frame, Frame> | undefined;
  using other = await rawAcceptor(call => {
    held ??= call;
    call.on('data', (frame: Frame) => {
      if (frame.body === 'advertisement') heard = frame.advertisement?.introduction?.serverCertificateSha256;
    });
    call.on('end', () => call.end());
  });
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(other.port) }).streams.start();
  await until('the Hello was sent', () => held !== undefined);
  node.self.set({ ...node.self.value, serverCertificateSha256: FIRST });
  held?.write({ welcome: { introduction: introductionOf('node-b'), protocol: 1 } });
  await until('it is advertised', () => heard === FIRST);
});
