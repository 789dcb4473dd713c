import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Address, parseAddress } from '../identity/address.ts';
import { bind } from './bind.ts';

test('port 0 is replaced by the real one, scheme and host stay', async t => {
  const bound = await bind(newServer(t), parseAddress('http://127.0.0.1:0'));
  assert.ok(bound.kind === 'tcp');
  assert.deepEqual([bound.scheme, bound.host], ['http', '127.0.0.1']);
  assert.ok(bound.port > 0);
  await connects(net.connect(bound.port, '127.0.0.1'));
});

test('an address that somebody else listens on is address_in_use', async t => {
  const bound = await bind(newServer(t), parseAddress('[::1]:0'));
  await assert.rejects(bind(newServer(t), bound), (error: { code: string; facts: unknown }) => {
    assert.equal(error.code, 'address_in_use');
    assert.ok(bound.kind === 'tcp');
    assert.deepEqual(error.facts, { address: `[::1]:${bound.port}` });
    return true;
  });
});

test('an address that is not of this machine is listen_failed', async t => {
  // RFC 5737: nobody has an address of this block.
  await assert.rejects(bind(newServer(t), parseAddress('192.0.2.1:0')), { code: 'listen_failed' });
});

test('a unix socket is for its owner alone from the first moment, and the mask of the process is as before', async t => {
  const address = await socketAddress(t);
  const server = newServer(t);
  let firstMode = 0;
  server.prependOnceListener('listening', () => {
    firstMode = statSync(address.path).mode & 0o777;
  });
  const mask = process.umask(0);
  t.after(() => process.umask(mask));
  assert.deepEqual(await bind(server, address), address);
  assert.equal(firstMode, 0o600);
  assert.equal(statSync(address.path).mode & 0o777, 0o600);
  assert.equal(process.umask(), 0);
  await connects(net.connect(address.path));
});

test('the socket of a process that died is replaced', async t => {
  const address = await socketAddress(t);
  await leaveDeadSocket(address.path);
  assert.ok(statSync(address.path).isSocket());
  await bind(newServer(t), address);
  await connects(net.connect(address.path));
});

test('a socket that somebody listens on is address_in_use, and goes on to serve', async t => {
  const address = await socketAddress(t);
  const first = newServer(t);
  await bind(first, address);
  await assert.rejects(bind(newServer(t), address), { code: 'address_in_use' });
  const accepted = once(first, 'connection');
  await connects(net.connect(address.path));
  await accepted;
});

test('a file that is no socket is left alone', async t => {
  const address = await socketAddress(t);
  writeFileSync(address.path, 'precious');
  await assert.rejects(bind(newServer(t), address), { code: 'address_in_use' });
  assert.equal(statSync(address.path).size, 8);
});

test('a socket in a directory that is not there is listen_failed and names it', async t => {
  const { path } = await socketAddress(t);
  await assert.rejects(
    bind(newServer(t), { kind: 'unix', path: join(path, 'x.sock') }),
    (error: { code: string; message: string }) => {
      assert.equal(error.code, 'listen_failed');
      assert.ok(error.message.includes(path));
      return true;
    },
  );
});

function newServer(t: TestContext): net.Server {
  const server = net.createServer(socket => {
    socket.on('error', () => {});
    socket.end();
  });
  t.after(() => server.close());
  return server;
}

async function socketAddress(t: TestContext): Promise<Extract<Address, { kind: 'unix' }>> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-bind-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return { kind: 'unix', path: join(directory, 'n.sock') };
}

/** What a process that was killed leaves behind: a socket file with nobody behind it. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = net.createServer().listen(`${path}.first`);
  await once(server, 'listening');
  // Closing removes the name it was made with, and that alone.
  renameSync(`${path}.first`, path);
  server.close();
  await once(server, 'close');
}

async function connects(socket: net.Socket): Promise<void> {
  await once(socket, 'connect');
  socket.destroy();
}
