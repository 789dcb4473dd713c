import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import { until } from '../../test/kit/until.ts';
import { atPaceOfCaller } from './bounded-service.ts';

test('who reads no answers has no more requests read, and all of them once it does', async () => {
  const [requests, room] = [20, 2];
  const unread: (() => void)[] = [];
  const stream = new Duplex({
    objectMode: true,
    writableHighWaterMark: room,
    read: () => {},
    write: (_answer, _encoding, done) => unread.push(done),
  });
  let answered = 0;
  const call = stream as unknown as grpc.ServerDuplexStream<object, object>;
  atPaceOfCaller(each => {
    each.on('data', request => {
      answered += 1;
      each.write(request);
    });
  })(call);
  for (let count = 0; count < requests; count += 1) stream.push({});
  await until('the first is answered', () => answered > 0);
  await setImmediate();
  await setImmediate();
  assert.equal(answered, room);
  await until('all are answered', () => {
    unread.shift()?.();
    return answered === requests;
  });
});
