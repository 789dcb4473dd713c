import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import { classify, type Sniffed, sniff } from './sniff.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const LONG_MS = 600_000;

/** What a client says first, and what that is. */
const GREETINGS: readonly [string, Sniffed][] = [
  ['\x16\x03\x01\x02\x00', 'tls'],
  [PREFACE, 'http2'],
  ['GET / HTTP/1.1\r\n', 'http1'],
  ['POST /x HTTP/1.1\r\n', 'http1'],
  ['PUT /x HTTP/1.1\r\n', 'http1'],
  ['OPTIONS * HTTP/1.1\r\n', 'http1'],
  ['PRI /x HTTP/1.1\r\n', 'http1'],
  ['\0\0\0\0', 'unknown'],
  ['SSH-2.0-x\r\n', 'unknown'],
  ['get / http/1.1\r\n', 'unknown'],
  ['PRI * HTTP/2.1\r\n', 'http1'],
  ['A /x', 'unknown'],
  ['AAAAAAAAAAAAAAAA', 'unknown'],
  ['\x15\x03\x01\x00\x02', 'unknown'],
];

for (const [greeting, expected] of GREETINGS) {
  test(`${JSON.stringify(greeting)} is ${expected}, at once or one byte at a time`, () => {
    const bytes = Buffer.from(greeting, 'latin1');
    assert.equal(classify(bytes), expected);
    let told: Sniffed | undefined;
    for (let length = 0; length <= bytes.length && told === undefined; length += 1) {
      told = classify(bytes.subarray(0, length));
    }
    assert.equal(told, expected, 'what is told first is told for good');
  });
}

test('what follows the greeting does not matter', () => {
  assert.equal(classify(Buffer.from(`${PREFACE}\0\0\0\x04\0\0\0\0\0`, 'latin1')), 'http2');
});

test('every beginning of the HTTP/2 preface is waited for to its last byte', () => {
  for (let length = 0; length < PREFACE.length; length += 1) {
    assert.equal(classify(Buffer.from(PREFACE.slice(0, length), 'latin1')), undefined, `${length} bytes`);
  }
});

for (const [greeting, expected] of GREETINGS.slice(0, 3)) {
  test(`a connection that says ${expected} byte by byte is known, and no byte of it is lost`, async t => {
    const { client, server } = await connection(t);
    const sniffing = sniff(server, LONG_MS);
    for (const byte of Buffer.from(greeting, 'latin1')) {
      client.write(Buffer.from([byte]));
      await new Promise(resolve => setImmediate(resolve));
    }
    assert.equal(await sniffing, expected);
    client.end('the rest');
    assert.equal(await readAll(server), `${greeting}the rest`);
  });
}

test('a peer that says nothing, or stalls within the preface, is silent at the deadline', async t => {
  for (const greeting of ['', 'PRI * HT', 'GE']) {
    const { client, server } = await connection(t);
    if (greeting !== '') client.write(greeting);
    if (greeting !== '') await once(server, 'readable');
    assert.equal(await sniff(server, 20), 'silent');
  }
});

test('a peer that goes away without a word, politely or not, is closed', async t => {
  for (const leave of ['end', 'destroy'] as const) {
    const { client, server } = await connection(t);
    const sniffing = sniff(server, LONG_MS);
    client[leave]();
    assert.equal(await sniffing, 'closed');
  }
});

test('nothing is left on the socket afterwards', async t => {
  const { client, server } = await connection(t);
  const before = server.eventNames().length;
  client.write(PREFACE);
  assert.equal(await sniff(server, LONG_MS), 'http2');
  assert.equal(server.eventNames().length, before);
});

async function connection(t: TestContext): Promise<{ client: net.Socket; server: net.Socket }> {
  const listener = net.createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(typeof address === 'object' && address !== null);
  const accepted = new Promise<net.Socket>(resolve => listener.once('connection', resolve));
  const client = net.connect(address.port, '127.0.0.1').setNoDelay(true);
  const server = await accepted;
  for (const socket of [client, server]) socket.on('error', () => {});
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { client, server };
}

async function readAll(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString('latin1');
}
