import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { keepHeadersOutOfGrpcLog } from './grpc-log.ts';

test('a header that grpc-js leaves out is not written, and all else is, once', () => {
  const written: unknown[] = [];
  grpc.setLogger({ error: (...message: unknown[]) => written.push(message.join(' ')) });
  keepHeadersOutOfGrpcLog();
  keepHeadersOutOfGrpcLog();
  const metadata = grpc.Metadata.fromHttp2Headers({ authorization: 'Bearer secret\u00e9', 'x-good': 'yes' });
  assert.deepEqual(metadata.getMap(), { 'x-good': 'yes' });
  grpc.experimental.log(grpc.logVerbosity.ERROR, 'something else', 'and more');
  assert.deepEqual(written, ['something else and more']);
});
