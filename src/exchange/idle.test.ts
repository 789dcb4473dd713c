import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangePair, post } from '../../test/kit/exchange-pair.ts';
import { until } from '../../test/kit/until.ts';
import type { InboundRequest } from './inbound-request.ts';

const NOTHING = Buffer.alloc(0);

test('an exchange is idle when the last reply is on its way, so that a goodbye said then comes after it', async () => {
  const served: InboundRequest[] = [];
  const { a, b, connect } = exchangePair({ b: request => void served.push(request) });
  const { toA } = connect();
  const outcome = new Promise(resolve => post(a, {}, resolve));
  await until('it is served', () => served.length > 0);
  await until('what has arrived is told', () => toA.batches.length > 0);

  const batches = toA.batches.length;
  const idle = b.idle.then(() => toA.batches.length);
  served[0]?.reply(NOTHING, Buffer.from('late'));
  assert.equal(await idle, batches + 1);
  assert.deepEqual(await outcome, { kind: 'replied', header: NOTHING, payload: Buffer.from('late') });
});

test('an exchange is idle when its stream is gone before the reply', async () => {
  const served: InboundRequest[] = [];
  const { a, b, connect } = exchangePair({ b: request => void served.push(request) });
  const stream = connect();
  post(a, { priority: 'bulk' }, () => {});
  await until('it is served', () => served.length > 0);
  served[0]?.reply(NOTHING, NOTHING);
  stream.end('lost');
  await b.idle;
});
