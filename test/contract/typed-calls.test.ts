import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { callerOf } from '../../src/rpc/caller.ts';
import { type BothWays, openBothWays } from '../kit/both-ways.ts';
import type { TypedCall, TypedClient, TypedHandler, TypedMessage } from '../kit/typed-service.ts';
import { until } from '../kit/until.ts';

/**
 * A call over the stream ends as it would have over HTTP/2: each case runs both ways, and what client and server saw is
 * compared. What HTTP/2 itself adds is left out: `date`, `content-type` and `user-agent`.
 */

const OF_HTTP2 = ['date', 'content-type', 'user-agent'];

/** All that a caller hears of one call, in its order. */
interface Heard {
  readonly events: string[];
  readonly reply: unknown;
  readonly error: unknown;
  readonly initial: unknown;
  readonly trailing: unknown;
}

interface Case {
  readonly handler: TypedHandler;
  readonly request?: TypedMessage;
  readonly metadata?: () => grpc.Metadata;
  readonly options?: () => grpc.CallOptions;
  /** What the caller does with its call. */
  readonly during?: (call: grpc.ClientUnaryCall) => void | Promise<void>;
  readonly method?: 'say' | 'answer' | 'missing';
}

function call(client: TypedClient, each: Case): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const heard = { events: [] as string[], reply: undefined as unknown, error: undefined as unknown };
    const both = { initial: undefined as unknown, trailing: undefined as unknown };
    const { request = { text: 'hi' }, metadata, options, during, method = 'say' } = each;
    let isWithin = true;
    const running = client[method](
      request,
      metadata?.() ?? new grpc.Metadata(),
      { deadline: Date.now() + 30_000, ...options?.() },
      (error, reply) => {
        heard.events.push(isWithin ? 'callback within the call' : 'callback');
        heard.reply = reply;
        heard.error = error === null ? null : { code: error.code, details: wordsOf(error) };
      },
    );
    isWithin = false;
    running.on('metadata', sent => {
      heard.events.push('metadata');
      both.initial = plain(sent);
    });
    running.on('status', status => {
      heard.events.push(`status ${status.code}`);
      both.trailing = plain(status.metadata);
      resolve({ ...heard, ...both });
    });
    Promise.resolve(during?.(running)).catch(reject);
  });
}

/** grpc-js says also how long a call took, and counts the five bytes before a message that it sends. */
function wordsOf({ code, details }: grpc.ServiceError): string {
  if (code === grpc.status.DEADLINE_EXCEEDED) return 'Deadline exceeded';
  return details.replace(/^Sent message larger than max .*/, 'Sent message larger than max');
}

function plain(metadata: grpc.Metadata): Record<string, unknown[]> {
  const entries = Object.entries(metadata.toJSON()).filter(([key]) => !OF_HTTP2.includes(key));
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, values]) => [
        key,
        values.map(value => (typeof value === 'string' ? value : `bytes ${value.toString('base64')}`)),
      ]),
  );
}

interface Outcome extends Heard {
  readonly seen: unknown[];
}

/** What the handler of each way notes down. */
let seen: unknown[] = [];

async function runOn(client: TypedClient, each: Case, whenSeen: () => boolean): Promise<Outcome> {
  seen = [];
  const heard = await call(client, each);
  await until('the server has seen all of the call', whenSeen);
  return { ...heard, seen };
}

/** Runs a case both ways. @param whenSeen holds once the handler noted down everything. */
async function same(
  t: TestContext,
  each: Case,
  whenSeen: () => boolean = () => true,
): Promise<Outcome & { ways: BothWays }> {
  const ways = await openBothWays(t, each.handler, {
    authorize: (_caller, path) => ({ allowed: path !== '/test.Typed/Answer', policy: 'test', rule: '' }),
  });
  const ordinary = await runOn(ways.ordinary, each, whenSeen);
  const streamed = await runOn(ways.streamed, each, whenSeen);
  assert.deepEqual(streamed, ordinary);
  return { ...streamed, ways };
}

function overStream(ways: BothWays): void {
  assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [1, 0]);
}

test('a reply', async t => {
  const { reply, events, ways } = await same(t, {
    handler: (call, reply) => reply(null, { text: `${call.request.text} back` }),
  });
  assert.deepEqual(reply, { text: 'hi back' });
  assert.deepEqual(events, ['metadata', 'callback', 'status 0']);
  overStream(ways);
});

test('a reply in a later turn, from an async handler', async t => {
  const { reply, ways } = await same(t, {
    handler: async (call, reply) => {
      await turn();
      reply(null, { text: call.request.text ?? '' });
    },
  });
  assert.deepEqual(reply, { text: 'hi' });
  overStream(ways);
});

test('an error with code, details in any script, and trailing metadata of both kinds', async t => {
  const details = 'not 50 % done:\n\u0007 nicht möglich 🧵';
  const { error, trailing, initial, ways } = await same(t, {
    handler: (_call, reply) => {
      const metadata = new grpc.Metadata();
      metadata.add('x-why', 'a');
      metadata.add('x-why', 'b');
      metadata.add('x-why-bin', Buffer.from([0, 255, 10]));
      metadata.add('x-why-bin', Buffer.alloc(0));
      metadata.set('grpc-status-details-bin', Buffer.from('details'));
      reply({ code: grpc.status.FAILED_PRECONDITION, details, metadata });
    },
  });
  assert.deepEqual(error, { code: grpc.status.FAILED_PRECONDITION, details });
  assert.deepEqual(trailing, {
    'grpc-status-details-bin': ['bytes ZGV0YWlscw=='],
    'x-why': ['a, b'],
    'x-why-bin': ['bytes AP8K', 'bytes '],
  });
  assert.equal(initial, undefined);
  overStream(ways);
});

test('errors of every form that a handler may reply with', async t => {
  const errors: Parameters<Parameters<TypedHandler>[1]>[0][] = [
    new Error('no code'),
    Object.assign(new Error('with a code'), { code: grpc.status.NOT_FOUND }),
    Object.assign(new Error('with details'), { code: grpc.status.NOT_FOUND, details: 'these' }),
    Object.assign(new Error('of another kind'), { code: 'ENOENT' as unknown as grpc.status, details: 'unused' }),
    { code: grpc.status.ABORTED },
    { details: 'no code' },
    { code: 42 as grpc.status, details: 'a code that nobody knows' },
  ];
  const codes: unknown[] = [];
  for (const each of errors) {
    const { error, ways } = await same(t, { handler: (_call, reply) => reply(each) });
    codes.push((error as grpc.ServiceError).code);
    overStream(ways);
  }
  assert.deepEqual(codes, [2, 5, 5, 2, 10, 2, 42]);
});

test('a handler that throws', async t => {
  const { error, ways } = await same(t, {
    handler: () => {
      throw new Error('a secret');
    },
  });
  assert.deepEqual(error, { code: grpc.status.UNKNOWN, details: 'Unknown error' });
  overStream(ways);
});

test('initial and trailing metadata of a reply, and initial metadata before an error', async t => {
  const metadata = (name: string) => {
    const made = new grpc.Metadata();
    made.set(name, 'x');
    made.set(`${name}-bin`, Buffer.from('y'));
    return made;
  };
  const good = await same(t, {
    handler: (call, reply) => {
      call.sendMetadata(metadata('initial'));
      call.sendMetadata(metadata('second'));
      reply(null, {}, metadata('trailing'));
    },
  });
  assert.deepEqual(good.initial, { initial: ['x'], 'initial-bin': ['bytes eQ=='] });
  assert.deepEqual(good.trailing, { trailing: ['x'], 'trailing-bin': ['bytes eQ=='] });
  const bad = await same(t, {
    handler: (call, reply) => {
      call.sendMetadata(metadata('initial'));
      reply({ code: grpc.status.ABORTED, details: 'late' }, null, metadata('trailing'));
    },
  });
  assert.deepEqual(bad.events, ['metadata', 'callback', 'status 10']);
  assert.deepEqual([bad.initial, bad.trailing], [good.initial, good.trailing]);
});

test('metadata of the request: repeated, binary, empty, with the characters that are allowed', async t => {
  const { seen: found, ways } = await same(t, {
    handler: (call, reply) => {
      seen.push(plain(call.metadata));
      reply(null, {});
    },
    metadata: () => {
      const made = new grpc.Metadata();
      for (const value of ['1', '2', '1']) made.add('X-Repeated', value);
      for (const value of ['a', '', 'a,b']) made.add('bytes-bin', Buffer.from(value));
      made.set('x_.-9', '!"#$%&()*+,-./:;<=>?@[]^_`{|}~');
      made.set('authorization', 'Bearer x');
      made.set('x-empty', '');
      return made;
    },
  });
  assert.deepEqual(found, [
    {
      authorization: ['Bearer x'],
      'bytes-bin': ['bytes YQ==', 'bytes ', 'bytes YSxi'],
      'x-empty': [''],
      'x-repeated': ['1, 2, 1'],
      'x_.-9': ['!"#$%&()*+,-./:;<=>?@[]^_`{|}~'],
    },
  ]);
  overStream(ways);
});

test('metadata that HTTP/2 treats in its own way goes its way', async t => {
  for (const [key, value] of [
    ['user-agent', 'mine'],
    ['te', 'gzip'],
    ['grpc-accept-encoding', 'gzip'],
    ['cookie', 'a=b'],
  ] as const) {
    const { ways } = await same(t, {
      handler: (call, reply) => {
        seen.push(plain(call.metadata));
        reply(null, {});
      },
      metadata: () => {
        const made = new grpc.Metadata();
        made.set(key, value);
        return made;
      },
    });
    assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [0, 1], key);
  }
});

test('messages of any size', async t => {
  for (const length of [0, 1, 70_000, 1_000_000]) {
    const bytes = Buffer.alloc(length, 'x');
    const { reply, ways } = await same(t, {
      handler: (call, reply) => reply(null, call.request),
      request: { bytes },
    });
    assert.deepEqual(reply, { bytes });
    overStream(ways);
  }
});

test('a request and a reply that are too large', async t => {
  const bytes = Buffer.alloc(2_600_000);
  const request = await same(t, { handler: (_call, reply) => reply(null, {}), request: { bytes } });
  assert.equal((request.error as grpc.ServiceError).code, grpc.status.RESOURCE_EXHAUSTED);
  assert.deepEqual([request.ways.wentStreamed(), request.ways.wentOrdinary()], [0, 1]);
  const reply = await same(t, { handler: (_call, reply) => reply(null, { bytes }) });
  assert.deepEqual(reply.error, { code: grpc.status.RESOURCE_EXHAUSTED, details: 'Sent message larger than max' });
  overStream(reply.ways);
});

test('messages that a side cannot write or read', async t => {
  const breaks = ['request serialize', 'request deserialize', 'response serialize', 'response deserialize'] as const;
  for (const each of breaks) {
    const { error, ways } = await same(t, {
      handler: (_call, reply) => reply(null, { breaks: each }),
      request: each.startsWith('request') ? { breaks: each } : {},
    });
    assert.equal((error as grpc.ServiceError).code, grpc.status.INTERNAL, each);
    assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [each === 'request serialize' ? 0 : 1, 0]);
  }
});

test('a deadline that passes at the client, and what the server hears of it', async t => {
  const {
    error,
    seen: found,
    ways,
  } = await same(
    t,
    {
      handler: call => {
        seen.push('called');
        call.on('cancelled', why => seen.push(why, call.cancelled));
      },
      options: () => ({ deadline: new Date(Date.now() + 150) }),
    },
    () => seen.length === 3,
  );
  assert.equal((error as grpc.ServiceError).code, grpc.status.DEADLINE_EXCEEDED);
  assert.deepEqual(found, ['called', 'cancelled', true]);
  overStream(ways);
});

test('a deadline that has passed', async t => {
  const { error } = await same(t, {
    handler: (_call, reply) => reply(null, {}),
    options: () => ({ deadline: Date.now() - 1_000 }),
  });
  assert.equal((error as grpc.ServiceError).code, grpc.status.DEADLINE_EXCEEDED);
});

test('the deadline as the server sees it, in each form a client gives it', async t => {
  for (const deadline of [
    () => Date.now() + 20_000,
    () => new Date(Date.now() + 20_000),
    () => Number.POSITIVE_INFINITY,
  ]) {
    const { seen: found } = await same(t, {
      handler: (call, reply) => {
        const left = Number(call.getDeadline()) - Date.now();
        seen.push(left === Number.POSITIVE_INFINITY ? 'none' : left > 0 && left <= 20_500);
        reply(null, {});
      },
      options: () => ({ deadline: deadline() }),
    });
    assert.equal(found.length, 1);
    assert.notEqual(found[0], false);
  }
});

test('a cancellation is seen at both ends', async t => {
  const {
    error,
    seen: found,
    events,
    ways,
  } = await same(
    t,
    {
      handler: call => {
        seen.push('called', call.cancelled);
        call.on('cancelled', why => seen.push(why, call.cancelled));
      },
      during: async running => {
        await until('the handler runs', () => seen.length === 2);
        running.cancel();
        running.cancel();
      },
    },
    () => seen.length === 4,
  );
  assert.deepEqual(error, { code: grpc.status.CANCELLED, details: 'Cancelled on client' });
  assert.deepEqual(found, ['called', false, 'cancelled', true]);
  overStream(ways);
  assert.deepEqual(events, ['callback', 'status 1']);
});

test('a call that is cancelled in the turn it is made', async t => {
  const { error, events } = await same(t, { handler: () => {}, during: running => running.cancel() });
  assert.deepEqual(error, { code: grpc.status.CANCELLED, details: 'Cancelled on client' });
  assert.deepEqual(events, ['callback', 'status 1']);
});

test('the end of a call that was answered is heard as grpc-js tells it', async t => {
  const { seen: found, ways } = await same(
    t,
    {
      handler: (call, reply) => {
        call.on('cancelled', why => seen.push(why, call.cancelled));
        reply(null, {});
        seen.push(call.cancelled);
      },
    },
    () => seen.length === 3,
  );
  assert.deepEqual(found, [false, 'cancelled', true]);
  overStream(ways);
});

test('a call with a parent ends with it, and has no longer deadline', async t => {
  const parents: TypedCall[] = [];
  const child: { client?: TypedClient } = {};
  const ways = await openBothWays(t, (call, reply) => {
    if (call.request.text === 'child') {
      seen.push(Number(call.getDeadline()) - Date.now() < 25_000);
      call.on('cancelled', () => seen.push('child cancelled'));
      return;
    }
    parents.push(call);
    child.client?.say({ text: 'child' }, new grpc.Metadata(), { parent: call, deadline: Infinity }, error => {
      seen.push([error?.code, error?.details]);
      reply(null, {});
    });
  });
  const run = async (client: TypedClient) => {
    seen = [];
    child.client = client;
    const during = async (running: grpc.ClientUnaryCall) => {
      await until('the child runs', () => seen.length === 1);
      running.cancel();
    };
    const options = () => ({ deadline: Date.now() + 20_000 });
    await call(ways.ordinary, { handler: () => {}, request: { text: 'parent' }, during, options });
    await until('the child has ended', () => seen.length === 3);
    return seen.map(String).sort();
  };
  const ordinary = await run(ways.ordinary);
  assert.deepEqual(await run(ways.streamed), ordinary);
  assert.deepEqual(ordinary, ['1,Cancelled by parent call', 'child cancelled', 'true']);
  overStream(ways);
  assert.deepEqual(
    parents.map(parent => parent.listenerCount('cancelled') <= 1),
    [true, true],
  );
});

test('who calls, by which method, and what else a handler may ask', async t => {
  const { seen: found, ways } = await same(t, {
    handler: (call, reply) => {
      const { roles, remoteAddress } = callerOf(call);
      seen.push([...roles], remoteAddress, call.getPath(), call.getHost() !== '', call.getAuthContext());
      call.getMetricsRecorder().recordQpsMetric(1);
      reply(null, {});
    },
  });
  assert.deepEqual(found, [['peer'], '127.0.0.1:1', '/test.Typed/Say', true, {}]);
  overStream(ways);
});

test('a call that is not allowed', async t => {
  const { error, ways } = await same(t, { handler: () => {}, method: 'answer' });
  assert.deepEqual(error, { code: grpc.status.PERMISSION_DENIED, details: 'permission denied' });
  overStream(ways);
});

test('a method that the server has not', async t => {
  const { error, ways } = await same(t, { handler: () => {}, method: 'missing' });
  assert.equal((error as grpc.ServiceError).code, grpc.status.UNIMPLEMENTED);
  assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [1, 1]);
});

test('interceptors of the client, also those that wait', async t => {
  const later: grpc.Interceptor = (options, next) =>
    new grpc.InterceptingCall(next(options), {
      start: (metadata, _listener, forward) => {
        metadata.set('x-intercepted', 'yes');
        setImmediate(() =>
          forward(metadata, {
            onReceiveMetadata: (received, pass) => setImmediate(() => pass(received)),
            onReceiveMessage: (message, pass) => pass({ ...message, text: `${message?.text} intercepted` }),
            onReceiveStatus: (status, pass) => pass(status),
          }),
        );
      },
    });
  const {
    reply,
    seen: found,
    ways,
  } = await same(t, {
    handler: (call, reply) => {
      seen.push(plain(call.metadata));
      reply(null, { text: 'x' });
    },
    options: () => ({ interceptors: [later] }),
  });
  assert.deepEqual(reply, { text: 'x intercepted' });
  assert.deepEqual(found, [{ 'x-intercepted': ['yes'] }]);
  overStream(ways);
});

test('a streaming method of the same client is an ordinary call', async t => {
  const ways = await openBothWays(t, () => {});
  const texts: (string | undefined)[] = [];
  for await (const { text } of ways.streamed.Stream({ text: 'n' })) texts.push(text);
  assert.deepEqual(texts, ['n 1', 'n 2']);
  assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [0, 1]);
});

test('a handler keeps its object, and is found under the name that generated code gives it', async t => {
  const ways = await openBothWays(t, () => {});
  for (const client of [ways.ordinary, ways.streamed]) {
    const { reply } = await call(client, { handler: () => {}, method: 'answer' });
    assert.deepEqual(reply, { text: 'hello hi from 127.0.0.1:1' });
  }
  overStream(ways);
});

test("asynchronous context is that of the caller in its callbacks, and nobody's in the handler", async t => {
  const storage = new AsyncLocalStorage<string>();
  const atServer: unknown[] = [];
  const ways = await openBothWays(t, (_call, reply) => {
    atServer.push(storage.getStore());
    reply(null, {});
  });
  for (const client of [ways.ordinary, ways.streamed]) {
    // While grpc-js connects it mixes up the contexts of the calls that wait.
    await call(client, { handler: () => {} });
    // What the stream still has to say is said, so that the next batch is begun by a call.
    for (let turns = 0; turns < 10; turns += 1) await turn();
    const heard: unknown[] = [];
    // Several at once, which share batches.
    const names = ['a', 'b', 'c'];
    const ended = names.map(
      name =>
        new Promise<void>(resolve =>
          storage.run(name, () => {
            const note = (what: string) => () => heard.push(`${name} ${what} ${storage.getStore()}`);
            const running = client.say({}, new grpc.Metadata(), {}, note('callback'));
            running.on('metadata', note('metadata'));
            running.on('status', note('status')).on('status', () => resolve());
          }),
        ),
    );
    await Promise.all(ended);
    const expected = names.flatMap(name => ['callback', 'metadata', 'status'].map(what => `${name} ${what} ${name}`));
    assert.deepEqual(heard.map(String).sort(), expected);
  }
  assert.deepEqual(atServer, Array(8).fill(undefined));
  assert.deepEqual([ways.wentStreamed(), ways.wentOrdinary()], [4, 0]);
});
