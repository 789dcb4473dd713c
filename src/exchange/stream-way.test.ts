import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangePair, post } from '../../test/kit/exchange-pair.ts';
import { until } from '../../test/kit/until.ts';
import type { PeerExchange } from './peer-exchange.ts';
import type { RequestOutcome } from './request-route.ts';

const NOTHING = Buffer.alloc(0);
const wayWith = (calls: boolean, messages: boolean) => ({ takesCalls: () => calls, takesMessages: () => messages });

test('over a stream that takes none, a message fails at once and the peer hears nothing of it', async () => {
  const heard: string[] = [];
  const pair = exchangePair({ b: request => void heard.push(request.name) });
  pair.connect(wayWith(false, false));
  const outcome = await sent(pair.a, 'cache.invalidate');
  assert.deepEqual(
    [outcome.kind, 'reason' in outcome && [outcome.reason, outcome.processed]],
    ['failed', ['declined', 'no']],
  );
  assert.equal(
    pair.a.tryRequest(request('/test.Echo/Echo'), () => {}),
    undefined,
  );
  assert.deepEqual(heard, []);
});

test('a message that waited is not begun over a stream that takes none, and goes over the next that does', async () => {
  const heard: string[] = [];
  const pair = exchangePair({
    b: incoming => {
      heard.push(incoming.name);
      incoming.reply(NOTHING, NOTHING);
    },
  });
  const waiting = sent(pair.a, 'cache.invalidate');
  const closed = pair.connect(wayWith(false, false));
  await turns();
  assert.deepEqual(heard, []);
  closed.end('closed');
  pair.connect();
  assert.equal((await waiting).kind, 'replied');
});

test('a call that waited for another stream fails as declined over one that takes messages alone', async () => {
  const heard: string[] = [];
  const pair = exchangePair({
    b: incoming => {
      heard.push(incoming.name);
      incoming.reply(NOTHING, NOTHING);
    },
  });
  const [call, message] = [sent(pair.a, '/test.Echo/Echo'), sent(pair.a, 'cache.invalidate')];
  pair.connect(wayWith(false, true));
  const outcome = await call;
  assert.deepEqual(outcome.kind === 'failed' && [outcome.reason, outcome.processed], ['declined', 'no']);
  assert.equal((await message).kind, 'replied');
  assert.deepEqual(heard, ['cache.invalidate']);
});

function request(name: string) {
  return { name, header: NOTHING, payload: NOTHING, priority: 'normal', timeoutMs: 60_000 } as const;
}

function sent(exchange: PeerExchange, name: string): Promise<RequestOutcome> {
  return new Promise(resolve => post(exchange, { name }, resolve));
}

/** As many as anything in memory takes. */
async function turns(): Promise<void> {
  let left = 20;
  await until('turns of the event loop', () => {
    left -= 1;
    return left < 0;
  });
}
