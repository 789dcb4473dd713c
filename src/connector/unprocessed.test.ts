// A contract test of grpc-js: its words are read by `unprocessed.ts`, and a new version may choose others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { echoDefinition } from '../../test/kit/echo-service.ts';
import { FABRIC_CHANNEL_OPTIONS } from './fabric-channel-credentials.ts';
import { isUnprocessed } from './unprocessed.ts';

const { NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = http2.constants;

test('a call whose stream the server refuses is unprocessed, and grpc-js did not send it again by itself', async t => {
  let streams = 0;
  const port = await serve(t, stream => {
    streams += 1;
    stream.close(NGHTTP2_REFUSED_STREAM);
  });
  const status = await callOnce(t, port);
  assert.equal(isUnprocessed(status), true, words(status));
  assert.equal(streams, 1);
});

test('a call that crossed the GOAWAY of its server is unprocessed, and the one before it is not touched', async t => {
  // The first stream has the number 1; a GOAWAY that names it says that no later one was looked at.
  const first = new Promise<http2.ServerHttp2Stream>(resolve => {
    void serve(t, stream => {
      if (stream.id === 1) resolve(stream);
      else stream.session?.goaway(NGHTTP2_NO_ERROR, 1);
    }).then(port => {
      client = connect(t, port);
      before = call(client);
    });
  });
  let client: grpc.Client | undefined;
  let before: Promise<grpc.ServiceError> | undefined;
  const stream = await first;
  assert.ok(client !== undefined && before !== undefined);
  const status = await call(client);
  assert.equal(isUnprocessed(status), true, words(status));
  PROCESSED['the server answered UNAVAILABLE']?.(stream);
  assert.equal((await before).details, 'busy');
});

test('a call to a port where nobody listens is unprocessed', async t => {
  const server = net.createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  const status = await callOnce(t, port);
  assert.equal(isUnprocessed(status), true, words(status));
});

const PROCESSED: Readonly<Record<string, (stream: http2.ServerHttp2Stream) => void>> = {
  'the connection broke after it arrived': stream => stream.session?.destroy(),
  'the server cancelled it': stream => stream.close(NGHTTP2_CANCEL),
  'the server failed in the middle': stream => stream.close(NGHTTP2_INTERNAL_ERROR),
  'the server answered UNAVAILABLE': stream =>
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '14',
        'grpc-message': 'busy',
      },
      { endStream: true },
    ),
  'a proxy answered 503': stream => stream.respond({ ':status': 503 }, { endStream: true }),
};

for (const [what, answer] of Object.entries(PROCESSED)) {
  test(`a call may have been processed when ${what}`, async t => {
    const status = await callOnce(t, await serve(t, answer));
    assert.notEqual(status.code, grpc.status.OK);
    assert.equal(isUnprocessed(status), false, words(status));
  });
}

test('the words alone are not enough without the status', () => {
  assert.equal(isUnprocessed({ code: grpc.status.INTERNAL, details: 'Stream refused by server' }), false);
});

async function serve(t: TestContext, answer: (stream: http2.ServerHttp2Stream) => void): Promise<number> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', session => sessions.add(session));
  server.on('sessionError', () => {});
  server.on('stream', stream => {
    stream.on('error', () => {});
    answer(stream);
  });
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return listening(server);
}

async function listening(server: net.Server | http2.Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function callOnce(t: TestContext, port: number): Promise<grpc.ServiceError> {
  return call(connect(t, port));
}

function connect(t: TestContext, port: number): grpc.Client {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), FABRIC_CHANNEL_OPTIONS);
  t.after(() => client.close());
  return client;
}

function call(client: grpc.Client): Promise<grpc.ServiceError> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Echo;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 30_000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, Buffer.from('x'), options, error => {
      if (error === null) reject(new Error('the call did not fail'));
      else resolve(error);
    });
  });
}

function words({ code, details }: grpc.ServiceError): string {
  return `${grpc.status[code]}: ${details}`;
}
