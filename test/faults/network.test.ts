import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../kit/until.ts';
import { type Host, type LinkCount, Network } from './network.ts';

// The ground that the fault tests stand on: a cut link that lets packets through would prove nothing.
const obstacle = await Network.obstacle();
const options = { skip: obstacle ?? false };
const run = promisify(execFile);
const PATIENCE_MS = 30_000;

const SERVER = `
require('node:dgram').createSocket('udp4', function (message, { port, address }) {
  this.send(message, port, address);
}).bind(5000, '0.0.0.0', () => console.log('bound'));
`;
/** Says how many of `count` packets came back, and when the last did; waits for all of them, but not longer than `patience`. */
const CLIENT = `
const [address, count, patience] = process.argv.slice(1);
const socket = require('node:dgram').createSocket('udp4');
let back = 0, lastMs = 0;
const start = performance.now();
const done = () => { console.log(JSON.stringify({ back, lastMs })); process.exit(); };
socket.on('message', () => { back += 1; lastMs = performance.now() - start; if (back === +count) done(); });
for (let i = 0; i < count; i += 1) socket.send(String(i), 5000, address);
setTimeout(done, +patience);
`;

test('a network of hosts does to packets what it is told, and to no others', options, async t => {
  await using network = await Network.create(['a', 'b', 'c']);
  const [a, b, c] = [network.host('a'), network.host('b'), network.host('c')];
  for (const host of [b, c]) await serve(host);

  await t.test('untouched, every packet arrives', async () => {
    assert.equal((await send(a, b, 100)).back, 100);
    assert.equal((await send(a, c, 100)).back, 100);
  });
  await t.test('a cut link carries nothing, the others do, and a healed one does again', async () => {
    await network.cut('a', 'b');
    assert.equal((await send(a, b, 5, 500)).back, 0);
    await countsBecome(network, 'a', 'b', { passed: 100, dropped: 5 });
    assert.equal((await send(a, c, 5)).back, 5);
    await network.heal('b', 'a');
    assert.equal((await send(a, b, 5)).back, 5);
  });
  await t.test('a link that is cut one way carries the other way alone', async () => {
    await network.cutOneWay('b', 'a');
    assert.equal((await send(a, b, 5, 500)).back, 0);
    await countsBecome(network, 'a', 'b', { passed: 110, dropped: 5 });
    await countsBecome(network, 'b', 'a', { passed: 105, dropped: 5 });
    await network.heal('a', 'b');
  });
  await t.test('packets take as long as they are told', async () => {
    await network.impair({ loss: 0, delayMs: 150 });
    const { back, lastMs } = await send(a, b, 1);
    assert.equal(back, 1);
    assert.ok(lastMs >= 300, `${lastMs} ms`);
  });
  await t.test('a part of the packets is lost', async () => {
    await network.impair({ loss: 0.2, delayMs: 0 });
    const before = await countOf(network, 'a', 'b');
    await send(a, b, 400, 500);
    let dropped = 0;
    await until('every packet passed or dropped', async () => {
      const now = await countOf(network, 'a', 'b');
      dropped = now.dropped - before.dropped;
      return now.passed - before.passed + dropped === 400;
    });
    // 80 are expected: this is 5 standard deviations away.
    assert.ok(dropped > 40 && dropped < 120, `${dropped} of 400`);
  });
});

test('with a network end its namespaces and what runs in them', options, async () => {
  const network = await Network.create(['a']);
  const { namespace } = network.host('a');
  const child = spawn('ip', ['netns', 'exec', namespace, 'sleep', '600'], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await until('the process in the namespace', async () => {
    const { stdout } = await run('ip', ['netns', 'pids', namespace]);
    return stdout.trim() === String(child.pid);
  });
  await network.close();
  const [, signal] = await exited;
  assert.equal(signal, 'SIGKILL');
  assert.ok(!(await readdir('/run/netns')).includes(namespace));
});

async function serve(host: Host): Promise<void> {
  const server = spawn('ip', ['netns', 'exec', host.namespace, process.execPath, '-e', SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: server.stdout }), 'line');
}

async function send(
  from: Host,
  to: Host,
  count: number,
  patienceMs = PATIENCE_MS,
): Promise<{ back: number; lastMs: number }> {
  const client = [process.execPath, '-e', CLIENT, to.address, String(count), String(patienceMs)];
  const { stdout } = await run('ip', ['netns', 'exec', from.namespace, ...client]);
  return JSON.parse(stdout);
}

async function countOf(network: Network, from: string, to: string): Promise<LinkCount> {
  const found = (await network.counts()).find(link => link.from === from && link.to === to);
  if (found === undefined) throw new TypeError(`no link from ${from} to ${to}`);
  return found;
}

async function countsBecome(
  network: Network,
  from: string,
  to: string,
  expected: Pick<LinkCount, 'passed' | 'dropped'>,
): Promise<void> {
  let seen: LinkCount | undefined;
  const isSo = async () => {
    seen = await countOf(network, from, to);
    return seen.passed === expected.passed && seen.dropped === expected.dropped;
  };
  await until('the counts', isSo).catch(() => assert.deepEqual(seen, { from, to, ...expected }));
}
