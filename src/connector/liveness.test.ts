import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { echoDefinition } from '../../test/kit/echo-service.ts';
import { until } from '../../test/kit/until.ts';
import { FABRIC_CHANNEL_OPTIONS } from './fabric-channel-credentials.ts';
import { Liveness, type WatchedSocket } from './liveness.ts';

/** A socket of which a test says what it hears. */
class HeardSocket implements WatchedSocket {
  bytesRead = 0;
  isDestroyed = false;

  destroy(): void {
    this.isDestroyed = true;
  }
}

test('a connection over which nothing is heard is asked, and ended when it stays silent', async t => {
  const socket = new HeardSocket();
  let asked = 0;
  const liveness = watch(t, socket, async () => {
    asked += 1;
  });
  liveness.start();
  await until('the socket is destroyed', () => socket.isDestroyed);
  assert.ok(asked > 0);
});

test('a connection that answers when it is asked stays, and is asked again', async t => {
  const socket = new HeardSocket();
  let asked = 0;
  const liveness = watch(t, socket, async () => {
    asked += 1;
    socket.bytesRead += 1;
  });
  liveness.start();
  await until('it was asked three times', () => asked >= 3);
  assert.equal(socket.isDestroyed, false);
});

test('a connection over which something was heard is not asked', async t => {
  const socket = new HeardSocket();
  let looks = 0;
  const liveness = new Liveness({
    socket: () => {
      looks += 1;
      socket.bytesRead += 1;
      return socket;
    },
    isAwaited: () => true,
    ask: () => assert.fail('asked'),
    quietMs: 1,
    timeoutMs: 1,
  });
  t.after(() => liveness.stop());
  liveness.start();
  await until('it was looked at several times', () => looks > 6);
  assert.equal(socket.isDestroyed, false);
});

test('while nobody waits, or another connection has taken its place, nothing is asked', async t => {
  const [first, second] = [new HeardSocket(), new HeardSocket()];
  let present = first;
  let looks = 0;
  const liveness = new Liveness({
    socket: () => present,
    isAwaited: () => {
      looks += 1;
      present = second;
      return looks < 2;
    },
    ask: () => assert.fail('asked'),
    quietMs: 1,
    timeoutMs: 1,
  });
  t.after(() => liveness.stop());
  liveness.start();
  await until('it stopped looking', () => looks === 2);
  assert.deepEqual([first.isDestroyed, second.isDestroyed], [false, false]);
});

// A contract test of grpc-js: when the first half fails, its keepalive may take the place of `Liveness` again.
test('a call goes on over a connection that got GOAWAY, where the keepalive of grpc-js would end it', async t => {
  const withKeepalive = await callAcrossGoaway(t, { ...FABRIC_CHANNEL_OPTIONS, 'grpc.keepalive_time_ms': 50 });
  assert.equal(withKeepalive?.details, 'Connection dropped');
  assert.equal(await callAcrossGoaway(t, FABRIC_CHANNEL_OPTIONS), null);
});

function watch(t: TestContext, socket: WatchedSocket, ask: () => Promise<void>): Liveness {
  const liveness = new Liveness({ socket: () => socket, isAwaited: () => true, ask, quietMs: 1, timeoutMs: 1 });
  t.after(() => liveness.stop());
  return liveness;
}

/** The error of a call that is answered half a second after the server sent GOAWAY; null: it got the answer. */
async function callAcrossGoaway(t: TestContext, options: grpc.ChannelOptions): Promise<grpc.ServiceError | null> {
  const server = http2.createServer();
  server.on('stream', stream => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.session?.close();
    setTimeout(() => {
      if (!stream.destroyed) stream.end(Buffer.alloc(5));
    }, 500);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options);
  t.after(() => {
    client.close();
    server.close();
  });
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Echo;
  return new Promise(resolve => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(0), error => resolve(error));
  });
}
