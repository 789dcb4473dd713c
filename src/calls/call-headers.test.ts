import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { MalformedHeader } from './header-reader.ts';
import { MAX_HEADER_BYTES } from './header-writer.ts';
import { decodeReplyHeader, encodeMetadata, encodeReplyHeader, type Reply } from './reply-header.ts';
import { decodeRequestHeader, encodeRequestHeader } from './request-header.ts';

const OK: Reply = { hasMessage: true, code: 0, details: 'OK', initial: undefined, trailing: null };

test('no metadata is one byte, and so is a reply that is just OK', () => {
  assert.deepEqual([...(encodeRequestHeader(new grpc.Metadata()) ?? [])], [0]);
  assert.deepEqual([...(encodeReplyHeader(OK) ?? [])], [1]);
  assert.deepEqual([...(encodeReplyHeader({ ...OK, trailing: new grpc.Metadata() }) ?? [])], [1]);
});

test('a request with a key that HTTP/2 keeps for itself, or that it sends once and has twice, has no header', () => {
  for (const key of [':path', 'te', 'host', 'user-agent', 'grpc-timeout', 'content-type', 'connection', 'cookie'])
    assert.equal(encodeRequestHeader(metadataOf([key, 'x'])), undefined, key);
  assert.equal(encodeRequestHeader(metadataOf(['authorization', 'a'], ['authorization', 'b'])), undefined);
  assert.notEqual(encodeRequestHeader(metadataOf(['authorization', 'a'])), undefined);
});

test('a reply leaves out the keys that HTTP/2 keeps for itself, and keeps the details of a status', () => {
  const trailing = metadataOf(['grpc-status', '0'], ['te', 'x'], ['x-own', 'y'], ['etag', '1'], ['etag', '2']);
  trailing.set('grpc-status-details-bin', Buffer.from('z'));
  const header = encodeReplyHeader({ ...OK, code: 5, details: 'gone', trailing });
  const decoded = decodeReplyHeader(Buffer.from(header ?? []));
  assert.deepEqual(decoded.trailing.toJSON(), {
    'x-own': ['y'],
    etag: ['1'],
    'grpc-status-details-bin': [Buffer.from('z')],
  });
});

test('more than HTTP/2 would carry is no header', () => {
  const large = metadataOf(['x-large', 'x'.repeat(MAX_HEADER_BYTES)]);
  assert.equal(encodeRequestHeader(large), undefined);
  assert.equal(encodeMetadata(large), undefined);
  assert.equal(encodeReplyHeader({ ...OK, trailing: large }), undefined);
  assert.equal(encodeReplyHeader({ ...OK, code: 2, details: 'x'.repeat(MAX_HEADER_BYTES) }), undefined);
  const entries = (count: number) => metadataOf(...Array.from({ length: count }, () => ['x-many', 'y'] as const));
  assert.notEqual(encodeRequestHeader(entries(128)), undefined);
  assert.equal(encodeRequestHeader(entries(129)), undefined);
});

test('a status code that gRPC could not send is UNKNOWN', () => {
  const codes = [-1, 1.5, 2 ** 31, Number.NaN].map(code => {
    const header = encodeReplyHeader({ ...OK, hasMessage: false, code });
    return decodeReplyHeader(Buffer.from(header ?? [])).code;
  });
  assert.deepEqual(codes, [2, 2, 2, 2]);
});

test('initial metadata is there before a message, and without one where it was sent', () => {
  const decoded = (reply: Partial<Reply>) =>
    decodeReplyHeader(Buffer.from(encodeReplyHeader({ ...OK, ...reply }) ?? [])).initial?.toJSON();
  assert.deepEqual(decoded({}), {});
  assert.deepEqual(decoded({ hasMessage: false, code: 2 }), undefined);
  assert.deepEqual(decoded({ hasMessage: false, code: 2, initial: Uint8Array.of(0) }), {});
  assert.deepEqual(decoded({ initial: encodeMetadata(metadataOf(['a', 'b'])) }), { a: ['b'] });
});

test('metadata that a caller could not send over HTTP/2 is refused', () => {
  const blocks: readonly (readonly [string, string])[] = [
    [':path', '/x'],
    ['grpc-timeout', '1S'],
    ['te', 'trailers'],
    ['X-Upper', 'x'],
    ['a b', 'x'],
    ['ä', 'x'],
    ['x', 'new\nline'],
    ['x', '\u00e4'],
    ['x', '\0'],
  ];
  for (const entry of blocks) assert.throws(() => decodeRequestHeader(block(entry)), MalformedHeader, String(entry));
  assert.throws(() => decodeRequestHeader(block(['authorization', 'a'], ['authorization', 'b'])), MalformedHeader);
  assert.throws(
    () => decodeRequestHeader(block(...Array.from({ length: 129 }, () => ['x', 'y'] as const))),
    MalformedHeader,
  );
  assert.deepEqual(decodeRequestHeader(block(['x', 'a'], ['y', 'b'], ['x', 'c'])).toJSON(), { x: ['a, c'], y: ['b'] });
});

test('a header that is cut short, goes on, is too large or has unknown parts is malformed', () => {
  const good = block(['key', 'value'], ['key-bin', 'value']);
  for (let length = 0; length < good.length; length += 1)
    assert.throws(() => decodeRequestHeader(good.subarray(0, length)), MalformedHeader);
  assert.throws(() => decodeRequestHeader(Buffer.concat([good, Buffer.of(0)])), MalformedHeader);
  assert.throws(() => decodeRequestHeader(Buffer.alloc(MAX_HEADER_BYTES + 1)), MalformedHeader);
  assert.throws(() => decodeReplyHeader(Buffer.of(16)), MalformedHeader);
  assert.throws(() => decodeReplyHeader(Buffer.of(2, 255, 255, 255, 255, 127, 0)), MalformedHeader);
});

test('binary values are copies of what was received', () => {
  const received = block(['x-bin', 'kept']);
  const [value] = decodeRequestHeader(received).get('x-bin');
  received.fill(0);
  assert.deepEqual(value, Buffer.from('kept'));
});

function metadataOf(...entries: (readonly [string, string])[]): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of entries) metadata.add(key, value);
  return metadata;
}

/** Written by hand, so that it may hold what ours never writes. Keys and values of less than 128 characters. */
function block(...entries: (readonly [string, string])[]): Buffer {
  const texts = entries.flat().map(text => Buffer.concat([Buffer.of(text.length), Buffer.from(text, 'latin1')]));
  return Buffer.concat([...texts, Buffer.of(0)]);
}
