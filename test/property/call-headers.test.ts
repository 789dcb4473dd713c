import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import fc from 'fast-check';
import { MalformedHeader } from '../../src/calls/header-reader.ts';
import { decodeReplyHeader, encodeMetadata, encodeReplyHeader } from '../../src/calls/reply-header.ts';
import { decodeRequestHeader, encodeRequestHeader } from '../../src/calls/request-header.ts';

const name = fc.stringMatching(/^x[0-9a-z_.-]{0,20}$/);
const text = fc.stringMatching(/^[ -~]{0,40}$/);
const entry = fc.oneof(
  fc.tuple(
    name.filter(key => !key.endsWith('-bin')),
    text,
  ),
  fc.tuple(
    name.map(key => `${key}-bin`),
    fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
  ),
);
const entries = fc.array(entry, { maxLength: 20 });
const metadataOf = (values: readonly (readonly [string, string | Buffer])[]): grpc.Metadata => {
  const metadata = new grpc.Metadata();
  for (const [key, value] of values) metadata.add(key, value);
  return metadata;
};

/** As it arrives over HTTP/2: the values of a text key are one. */
function arrived(metadata: grpc.Metadata): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata.toJSON()).map(([key, values]) => [
      key,
      key.endsWith('-bin') ? values : [values.join(', ')],
    ]),
  );
}

test('metadata arrives as it was, in its order', () => {
  fc.assert(
    fc.property(entries, values => {
      const metadata = metadataOf(values);
      const decoded = decodeRequestHeader(Buffer.from(encodeRequestHeader(metadata) ?? []));
      assert.deepEqual(Object.entries(decoded.toJSON()), Object.entries(arrived(metadata)));
    }),
  );
});

test('a reply arrives as it was', () => {
  const reply = fc.record({
    hasMessage: fc.boolean(),
    code: fc.oneof(fc.integer({ min: 0, max: 16 }), fc.nat(0x7fff_ffff)),
    details: fc.oneof(fc.constant('OK'), fc.string({ unit: 'grapheme' })),
    initial: fc.option(entries),
    trailing: fc.option(entries),
  });
  fc.assert(
    fc.property(reply, ({ hasMessage, code, details, initial, trailing }) => {
      const header = encodeReplyHeader({
        hasMessage,
        code,
        details,
        initial: initial === null ? undefined : encodeMetadata(metadataOf(initial)),
        trailing: trailing === null ? null : metadataOf(trailing),
      });
      const decoded = decodeReplyHeader(Buffer.from(header ?? []));
      const before = initial === null ? (hasMessage ? {} : undefined) : arrived(metadataOf(initial));
      assert.deepEqual(
        { ...decoded, initial: decoded.initial?.toJSON(), trailing: decoded.trailing.toJSON() },
        { hasMessage, code, details, initial: before, trailing: arrived(metadataOf(trailing ?? [])) },
      );
    }),
  );
});

test('whatever another node sends is read as legal metadata or refused as malformed', () => {
  const good = fc.tuple(entries, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([values, at, byte]) => {
    const bytes = Buffer.from(encodeRequestHeader(metadataOf(values)) ?? []);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  const anything = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(good, anything), bytes => {
      for (const decode of [decodeRequestHeader, decodeReplyHeader]) {
        try {
          const decoded = decode(bytes);
          const all = decoded instanceof grpc.Metadata ? [decoded] : [decoded.initial, decoded.trailing];
          for (const metadata of all) for (const key in metadata?.toJSON()) assert.match(key, /^[0-9a-z_.-]+$/);
          for (const metadata of all)
            for (const key in metadata?.toJSON()) assert.doesNotMatch(key, /^grpc-(?!status-details-bin$)|^te$/);
        } catch (error) {
          assert.ok(error instanceof MalformedHeader, String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
