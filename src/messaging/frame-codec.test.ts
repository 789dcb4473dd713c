import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceDefinition } from '../rpc/service.ts';
import type { Frame } from './frame.ts';
import { connectMethod } from './frame.ts';

const byProtobuf = serviceDefinition('selvedge.fabric.v1.Fabric').Connect;

describe('frames with batches', () => {
  it('are written byte for byte as protobuf would, whatever the size, and read back', () => {
    assert.ok(byProtobuf);
    for (const size of [1, 127, 128, 16_383, 16_384, 65_536]) {
      const batch = Buffer.alloc(size, size);
      const written = connectMethod.requestSerialize({ batch });
      assert.deepEqual(written, byProtobuf.requestSerialize({ batch }));
      const read = connectMethod.responseDeserialize(written);
      assert.deepEqual({ body: read.body, batch: read.batch }, { body: 'batch', batch });
    }
  });

  it('leave every other frame, and every other form of a batch, to protobuf', () => {
    const heartbeat = connectMethod.requestSerialize({ heartbeat: { sequence: 7 } });
    assert.equal(connectMethod.requestDeserialize(heartbeat).heartbeat?.sequence, 7);
    // A length in more bytes than it needs, and a batch with another field behind it.
    for (const bytes of [
      [0x52, 0x81, 0x80, 0x80, 0x00, 0x05],
      [0x52, 0x01, 0x05, 0x2a, 0x00],
    ]) {
      const read: Frame = connectMethod.requestDeserialize(Buffer.from(bytes));
      assert.ok(
        read.body === 'batch' ? Buffer.from(read.batch ?? []).equals(Buffer.from([5])) : read.body === 'draining',
      );
    }
    assert.throws(() => connectMethod.requestDeserialize(Buffer.from([0x52, 0x7f, 0x01])));
  });
});
