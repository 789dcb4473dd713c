import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { REFUSAL_REASONS } from '../errors/refusal-reason.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { expectNoRefusal, refusalIn, refusedByPeer } from './read-refusal.ts';

/** An empty SETTINGS frame (RFC 9113 6.5), with which every server begins. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const LONG_MS = 600_000;

test('every reason is read out of a GOAWAY, with the words after it', () => {
  for (const reason of REFUSAL_REASONS) {
    const refusal = refusalIn(Buffer.concat([SETTINGS, goaway(`${reason}: because: of this`)]));
    assert.equal(refusal?.facts.reason, reason);
    assert.equal(refusal?.facts.by, 'peer');
    assert.equal(refusal?.facts.detail, 'because: of this');
  }
});

test('a reason alone is enough', () => {
  assert.deepEqual(refusalIn(goaway('unknown_ca'))?.facts, { reason: 'unknown_ca', by: 'peer', detail: '' });
});

test('a reason that is not of our list is handshake_failed, with its words, made printable', () => {
  const refusal = refusalIn(goaway('because\u001b[31m I say so'));
  assert.equal(refusal?.facts.reason, 'handshake_failed');
  assert.equal(refusal?.facts.detail, 'because\\u001b[31m I say so');
});

test('a long text of a peer is cut', () => {
  assert.ok((refusalIn(goaway(`unknown_ca: ${'x'.repeat(10_000)}`))?.facts.detail.length ?? 0) < 300);
});

test('a server that begins well is no refusal, and neither is a GOAWAY for another reason', () => {
  assert.equal(refusalIn(SETTINGS), undefined);
  assert.equal(refusalIn(Buffer.concat([SETTINGS, goaway('unknown_ca', 0)])), undefined, 'NO_ERROR');
  assert.equal(refusalIn(Buffer.alloc(0)), undefined);
});

test('frames that are cut short or lie about their length are no refusal and no exception', () => {
  const bytes = Buffer.concat([SETTINGS, goaway('unknown_ca')]);
  for (let length = 0; length < SETTINGS.length + 9 + 8; length += 1) {
    assert.equal(refusalIn(bytes.subarray(0, length)), undefined, `${length} bytes`);
  }
  assert.equal(refusalIn(Buffer.alloc(64, 0xff)), undefined);
});

test('a refusal among the first bytes fails', async () => {
  const socket = new PassThrough();
  socket.write(Buffer.concat([SETTINGS, goaway('plaintext_refused: TLS only')]));
  await assert.rejects(expectNoRefusal(socket, LONG_MS), error => {
    assert.ok(isSelvedgeError(error, 'refused'));
    assert.equal(error.message, 'the peer refused: plaintext_refused: TLS only');
    return true;
  });
});

test('the first bytes of a willing server are put back as they were', async () => {
  const socket = new PassThrough();
  socket.write(SETTINGS);
  await expectNoRefusal(socket, LONG_MS);
  socket.write('more');
  socket.end();
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  await once(socket, 'end');
  assert.deepEqual(Buffer.concat(chunks), Buffer.concat([SETTINGS, Buffer.from('more')]));
});

test('a silent server is taken as willing after the patience', async () => {
  await expectNoRefusal(new PassThrough(), 1);
});

test('a server that ends or breaks before it said anything fails with that', async () => {
  const ended = new PassThrough();
  ended.end();
  await assert.rejects(expectNoRefusal(ended, LONG_MS), /closed the connection before it said anything/);
  const broken = new PassThrough();
  const expecting = expectNoRefusal(broken, LONG_MS);
  broken.destroy(new Error('ECONNRESET'));
  await assert.rejects(expecting, /ECONNRESET/);
});

test('nothing is left on the socket, whatever the end', async () => {
  const socket = new PassThrough();
  const before = socket.eventNames();
  socket.write(SETTINGS);
  await expectNoRefusal(socket, LONG_MS);
  assert.deepEqual(socket.eventNames(), before);
});

test('the message of a refusal names the reason also where there are no words', () => {
  assert.match(refusedByPeer('unknown_ca', '').message, /unknown_ca/);
});

function goaway(debugData: string, code = 0xc): Buffer {
  const text = Buffer.from(debugData);
  const frame = Buffer.alloc(17 + text.length);
  frame.writeUIntBE(8 + text.length, 0, 3);
  frame.writeUInt8(7, 3);
  frame.writeUInt32BE(code, 13);
  text.copy(frame, 17);
  return frame;
}
