import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatAddress, formatHostPort, parseAddress, type TcpAddress } from '../identity/address.ts';
import { Fifo } from '../lifecycle/fifo.ts';
import { constant, MutableValue } from '../lifecycle/observable-value.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { AddressHolder } from './address-holder.ts';
import type { FoundAddress } from './dns-answer.ts';
import { openDnsSource } from './dns-source.ts';
import { type BeliefPolicy, MemberDirectory } from './member-directory.ts';
import type { MembershipSource } from './membership-source.ts';
import { NO_MEMORY, type TlsMemory } from './tls-memory.ts';

const FLOOR_MS = 5_000;
const CEILING_MS = 300_000;

test('members are who says that it is at the addresses, this node too', async t => {
  const scene = new Scene(t).at('10.0.0.1', 'node-1', 7).at('10.0.0.2', 'node-2').answers('10.0.0.2', '10.0.0.1');
  await scene.open();
  assert.deepEqual(scene.seen, { 'node-1': ['10.0.0.1:5122'], 'node-2': ['10.0.0.2:5122'] });
  assert.deepEqual(
    [scene.source.kind, scene.source.lists, scene.source.standing.value.state],
    ['dns', false, 'current'],
  );
  assert.deepEqual(scene.logged, []);
});

test('one joins, one leaves, one moves; another order is no change', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').answers('10.0.0.2', '10.0.0.3');
  await scene.open();
  await scene.answers('10.0.0.3', '10.0.0.2').pass(FLOOR_MS);
  assert.equal(scene.changes, 0);
  await scene.at('10.0.0.4', 'node-4').answers('10.0.0.2', '10.0.0.3', '10.0.0.4').pass(FLOOR_MS);
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3', 'node-4']);
  await scene.answers('10.0.0.3', '10.0.0.4').pass(FLOOR_MS);
  assert.deepEqual(Object.keys(scene.seen), ['node-3', 'node-4']);
  await scene.at('10.0.0.9', 'node-3', 2).answers('10.0.0.9', '10.0.0.4').pass(FLOOR_MS);
  assert.deepEqual(scene.seen['node-3'], ['10.0.0.9:5122']);
  assert.equal(scene.changes, 3, 'who moves does not leave meanwhile');
});

test('an answer counts for its TTL, within floor and ceiling', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  for (const [ttlMs, waitMs] of [
    [0, FLOOR_MS],
    [30_000, 30_000],
    [Number.POSITIVE_INFINITY, CEILING_MS],
  ] as const) {
    scene.ttlMs = ttlMs;
    await scene.pass(2 * CEILING_MS);
    const [before = 0, last = 0] = scene.lookedAtMs.slice(-2);
    assert.equal(last - before, waitMs);
  }
});

test('a resolver that fails freezes what is known, is told once, and is asked again not faster than the floor', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  scene.failure = 'SERVFAIL\u001b';
  await scene.pass(FLOOR_MS);
  const { lookups } = scene;
  assert.deepEqual(scene.standing, ['frozen', 'SERVFAIL\\u001b']);
  await scene.pass(FLOOR_MS - 1);
  assert.equal(scene.lookups, lookups);
  await scene.pass(600_000);
  assert.ok(scene.lookups > lookups + 600_000 / 40_000, 'also after a long time');
  assert.ok(scene.lookups < lookups + 600_000 / FLOOR_MS, 'and ever more seldom');
  assert.deepEqual([Object.keys(scene.seen), scene.changes], [['node-2'], 0]);
  scene.failure = undefined;
  await scene.pass(60_000);
  assert.deepEqual([scene.standing, scene.changes], [['current'], 0]);
  assert.deepEqual(scene.logged, ['membership.frozen', 'membership.recovered']);
});

test('a node starts without DNS, and says so', async t => {
  const scene = new Scene(t);
  scene.failure = 'no answer in time';
  await scene.open();
  assert.deepEqual([scene.seen, scene.standing], [{}, ['frozen', 'no answer in time']]);
  scene.failure = undefined;
  await scene.at('10.0.0.2', 'node-2').answers('10.0.0.2').pass(FLOOR_MS);
  assert.deepEqual([Object.keys(scene.seen), scene.standing], [['node-2'], ['current']]);
});

test('the opening waits for no resolver and no address for ever', async t => {
  const slow = new Scene(t).at('10.0.0.2', 'node-2');
  slow.lookUp = () => new Promise(() => {});
  const opening = slow.open();
  await slow.pass(10_000);
  await opening;
  assert.deepEqual(slow.standing, ['frozen', 'no answer yet']);

  const silent = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2', '10.0.0.3');
  silent.identify = () => new Promise(() => {});
  const other = silent.open();
  await silent.pass(10_000);
  await other;
  assert.deepEqual(silent.seen, { 'node-2': ['10.0.0.2:5122'] });
});

test('an answer at none of whose addresses a node of the cluster answers changes nobody', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').answers('10.0.0.2', '10.0.0.3');
  await scene.open();
  await scene.answers('203.0.113.1', '203.0.113.2').pass(FLOOR_MS);
  assert.deepEqual(scene.standing, ['current'], 'they may only be starting');
  await scene.pass(60_000);
  assert.deepEqual(scene.standing, ['frozen', 'at none of the 2 addresses a node of this cluster answers']);
  assert.deepEqual([Object.keys(scene.seen), scene.changes], [['node-2', 'node-3'], 0]);
  await scene.at('203.0.113.2', 'node-3', 2).pass(30_000);
  assert.deepEqual([scene.seen, scene.standing], [{ 'node-3': ['203.0.113.2:5122'] }, ['current']]);
});

test('who is silent or refused is no member and is told once, who is a member may be silent', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2', '10.0.0.3', '10.0.0.4');
  scene.identify = async address => {
    if (address.host === '10.0.0.4') throw refused('the certificate is that of another');
    throw new Error('connection refused');
  };
  await scene.open();
  assert.deepEqual(scene.told('membership.address_unidentified'), ['10.0.0.4:5122'], 'a refusal is told at once');
  await scene.pass(60_000);
  assert.deepEqual(scene.told('membership.address_unidentified'), ['10.0.0.4:5122', '10.0.0.3:5122']);
  scene.holders.delete('10.0.0.2');
  await scene.pass(600_000);
  assert.deepEqual([Object.keys(scene.seen), scene.standing], [['node-2'], ['current']]);
  assert.equal(scene.told('membership.address_unidentified').length, 2);
  await scene.at('10.0.0.3', 'node-3').pass(40_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3']);
});

test('an address that passed on to another node is noticed when the node cannot be reached, else in time', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').answers('10.0.0.2', '10.0.0.3');
  await scene.open();
  scene.at('10.0.0.2', 'node-4').at('10.0.0.3', 'node-5');
  await scene.pass(60_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3']);
  scene.unreachable.set(new Set(['node-2']));
  await scene.pass(0);
  assert.deepEqual(Object.keys(scene.seen), ['node-3', 'node-4']);
  await scene.pass(360_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-4', 'node-5']);
});

test('a question knows who answered the last one, and after silence nobody', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  scene.unreachable.set(new Set(['node-2']));
  await scene.pass(2_000);
  scene.holders.delete('10.0.0.2');
  await scene.pass(120_000);
  const known = scene.known.map(holder => holder?.name);
  assert.deepEqual([known[0], known[1]], [undefined, 'node-2']);
  assert.ok(known.length > 4 && known.at(-1) === undefined, String(known));
  await scene.at('10.0.0.2', 'node-2').pass(120_000);
  assert.equal(scene.known.at(-1)?.name, 'node-2');
});

test('where a node cannot be reached, it is asked again and again, ever more seldom', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  scene.unreachable.set(new Set(['node-2']));
  const before = scene.questions;
  await scene.pass(300_000);
  const asked = scene.questions - before;
  assert.ok(asked >= 12 && asked <= 25, String(asked));
});

test('who could be reached meanwhile is asked as soon as at first when it cannot be any more', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  const questionsWithin = async (ms: number) => {
    const before = scene.questions;
    scene.unreachable.set(new Set(['node-2']));
    await scene.pass(ms);
    scene.unreachable.set(new Set());
    return scene.questions - before;
  };
  const first = await questionsWithin(10_000);
  await questionsWithin(300_000);
  await scene.pass(400_000);
  assert.equal(await questionsWithin(10_000), first);
});

test('an address is not asked while a question to it is under way', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  scene.holders.clear();
  scene.identify = () => new Promise(() => {});
  const before = scene.questions;
  for (let turn = 0; turn < 5; turn += 1) {
    scene.unreachable.set(new Set(['node-2']));
    await scene.pass(5_000);
    scene.unreachable.set(new Set());
  }
  assert.equal(scene.questions, before + 1);
});

test('a name with another generation at another address casts doubt on where it was', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  await scene.at('10.0.0.2', 'node-2', 2).at('10.0.0.9', 'node-2', 2).answers('10.0.0.2', '10.0.0.9').pass(FLOOR_MS);
  await scene.pass(2_000);
  assert.deepEqual(scene.seen['node-2'], ['10.0.0.2:5122', '10.0.0.9:5122']);
});

test('who says another generation at each question is asked ever more seldom, and at once again after a calm time', async t => {
  const hosts = Array.from({ length: 20 }, (_, index) => `10.0.1.${index + 1}`);
  const scene = new Scene(t).answers(...hosts);
  let generation = 0;
  scene.identify = async () => ({ name: 'node-2', generation: ++generation, isProven: true, labels: {} });
  await scene.open();
  await scene.pass(120_000);
  const asked = async (ms: number) => {
    const before = scene.questions;
    await scene.pass(ms);
    return (scene.questions - before) / hosts.length;
  };
  const often = await asked(300_000);
  assert.ok(often > 5 && often <= 11, String(often));
  for (const host of hosts) scene.at(host, 'node-2', ++generation);
  await scene.pass(400_000);
  for (const host of hosts) scene.at(host, 'node-2', generation);
  await scene.pass(400_000);
  scene.at('10.0.0.9', 'node-2', ++generation).answers('10.0.0.9', ...hosts);
  assert.equal(await asked(FLOOR_MS + 2_000), 1 + 1 / hosts.length, 'each once');
});

test('an older generation elsewhere casts no doubt', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2', 2).at('10.0.0.3', 'node-2', 1).answers('10.0.0.2', '10.0.0.3');
  await scene.open();
  await scene.pass(10_000);
  const { questions } = scene;
  await scene.at('10.0.0.4', 'node-2', 1).answers('10.0.0.2', '10.0.0.3', '10.0.0.4').pass(60_000);
  assert.equal(scene.questions, questions + 1);
});

test('when the mode turns strict, who proved nothing is asked again at once, and is nobody where it does not', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').answers('10.0.0.2', '10.0.0.3');
  const unproven = { generation: 1, isProven: false, labels: {} };
  scene.policy.set({ mode: 'optional' });
  scene.holders.set('10.0.0.3', { name: 'node-3', ...unproven }).set('10.6.6.6', { name: 'node-9', ...unproven });
  scene.answers('10.0.0.2', '10.0.0.3', '10.6.6.6');
  await scene.open();
  await scene.pass(2_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3', 'node-9']);
  const { questions } = scene;
  scene.at('10.0.0.3', 'node-3').holders.delete('10.6.6.6');
  scene.policy.set({ mode: 'strict' });
  await scene.pass(0);
  assert.deepEqual([Object.keys(scene.seen), scene.changes], [['node-2', 'node-3'], 1]);
  assert.equal(scene.questions, questions + 2);
});

test('when the mode turns plain, who was asked over TLS is asked again', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  const { questions } = scene;
  scene.policy.set({ mode: 'optional' });
  await scene.pass(2_000);
  assert.equal(scene.questions, questions);
  scene.holders.set('10.0.0.2', { name: 'node-2', generation: 1, isProven: false, labels: {} });
  scene.policy.set({ mode: 'plain' });
  await scene.pass(0);
  const [member] = scene.source.view.value.members;
  assert.deepEqual(member?.addresses, [tcp('10.0.0.2:5122')]);
});

test('a name that was proven goes to nobody by word alone, wherever DNS points', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').inPlaintext('10.6.6.6', 'node-2');
  scene.policy.set({ mode: 'optional' });
  await scene.answers('10.0.0.2').open();
  assert.deepEqual(scene.dialled('node-2'), ['https://10.0.0.2:5122']);

  await scene.answers('10.6.6.6').pass(60_000);
  assert.deepEqual([scene.standing[0], scene.dialled('node-2')], ['frozen', ['https://10.0.0.2:5122']]);
  assert.deepEqual(scene.told('membership.address_unidentified'), ['10.6.6.6:5122']);

  await scene.answers('10.6.6.6', '10.0.0.3').pass(60_000);
  assert.deepEqual([scene.standing, Object.keys(scene.seen)], [['current'], ['node-3']]);
  assert.deepEqual(scene.dialled('node-2'), []);

  await scene.answers('10.6.6.6', '10.0.0.3', '10.0.0.2').pass(60_000);
  await scene.inPlaintext('10.0.0.2', 'node-2').pass(600_000);
  assert.deepEqual(scene.dialled('node-2'), ['https://10.0.0.2:5122'], 'nor at the address where it was proven');
});

test('where no step down is refused, a node that comes back in plaintext is a member again', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  scene.refusesDowngrade = false;
  scene.policy.set({ mode: 'optional' });
  await scene.open();
  assert.deepEqual(scene.dialled('node-2'), ['https://10.0.0.2:5122']);
  scene.unreachable.set(new Set(['node-2']));
  await scene.inPlaintext('10.0.0.2', 'node-2', 9).pass(60_000);
  assert.deepEqual(scene.dialled('node-2'), ['10.0.0.2:5122']);
});

test('who said a name before somebody proved it has it no more', async t => {
  const scene = new Scene(t).inPlaintext('10.6.6.6', 'node-2').answers('10.6.6.6');
  scene.policy.set({ mode: 'optional' });
  await scene.open();
  assert.deepEqual(scene.dialled('node-2'), ['10.6.6.6:5122']);
  await scene.at('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3').answers('10.6.6.6', '10.0.0.2').pass(FLOOR_MS);
  scene.holders.delete('10.6.6.6');
  scene.identify = () => new Promise(() => {});
  await scene.answers('10.6.6.6', '10.0.0.3').pass(FLOOR_MS + 2_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-3']);
});

test('the name of who is remembered to have spoken TLS goes to nobody by word alone, until it is not any more', async t => {
  const remembered = new Map([['node-2', { entry: [], generation: 1, permitted: false }]]);
  const scene = new Scene(t).inPlaintext('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3');
  scene.policy.set({ mode: 'optional' });
  await scene.answers('10.0.0.2', '10.0.0.3').open();
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3']);

  scene.memory.set(remembered);
  await scene.pass(2_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-3'], 'asked at once');
  await scene.at('10.0.0.2', 'node-2').pass(60_000);
  assert.deepEqual(scene.dialled('node-2'), ['https://10.0.0.2:5122']);

  scene.memory.set(NO_MEMORY);
  scene.unreachable.set(new Set(['node-2']));
  await scene.inPlaintext('10.0.0.2', 'node-2').pass(60_000);
  assert.deepEqual(scene.dialled('node-2'), ['10.0.0.2:5122'], 'it went back to plain');
});

test('a node that begins to speak TLS is a member all the time', async t => {
  const scene = new Scene(t).inPlaintext('10.0.0.2', 'node-2').at('10.0.0.3', 'node-3');
  scene.policy.set({ mode: 'optional' });
  await scene.answers('10.0.0.2', '10.0.0.3').open();
  const seen = new Set<number>();
  scene.source.view.subscribe(({ members }) => seen.add(members.length));
  scene.at('10.0.0.2', 'node-2').memory.set(new Map([['node-2', { entry: [], generation: 1, permitted: false }]]));
  await scene.pass(2_000);
  assert.deepEqual([[...seen], scene.dialled('node-2')], [[2], ['https://10.0.0.2:5122']]);
});

test('in plain no name is proven', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  scene.policy.set({ mode: 'optional' });
  await scene.open();
  scene.memory.set(new Map([['node-2', { entry: [], generation: 1, permitted: false }]]));
  scene.policy.set({ mode: 'plain' });
  await scene.inPlaintext('10.0.0.2', 'node-2').pass(2_000);
  assert.deepEqual(scene.dialled('node-2'), ['10.0.0.2:5122']);
  scene.memory.set(NO_MEMORY);
  scene.policy.set({ mode: 'optional' });
  await scene.inPlaintext('10.0.0.9', 'node-2', 10).answers('10.0.0.9').pass(60_000);
  assert.deepEqual(scene.dialled('node-2'), ['10.0.0.9:5122']);
});

test('another process with our name is told, and no member', async t => {
  const scene = new Scene(t).at('10.0.0.9', 'node-1', 8).at('10.0.0.2', 'node-2').answers('10.0.0.2', '10.0.0.9');
  await scene.open();
  assert.deepEqual(Object.keys(scene.seen), ['node-2']);
  assert.deepEqual(scene.told('membership.name_taken'), ['10.0.0.9:5122']);
});

test('a bounded number is asked at once, and all are asked', async t => {
  const hosts = Array.from({ length: 100 }, (_, index) => `10.0.1.${index + 1}`);
  const scene = new Scene(t).answers(...hosts);
  for (const [index, host] of hosts.entries()) scene.at(host, `pod-${index}`);
  await scene.open();
  assert.equal(Object.keys(scene.seen).length, 100);
  assert.ok(scene.mostAtOnce <= 16 && scene.mostAtOnce > 1, String(scene.mostAtOnce));
});

test('many who are refused fill no log', async t => {
  const scene = new Scene(t).answers(...Array.from({ length: 100 }, (_, index) => `10.0.1.${index + 1}`));
  scene.identify = async () => {
    throw refused('the certificate is that of another');
  };
  await scene.open();
  assert.equal(scene.told('membership.address_unidentified').length, 20);
});

test('many with our own name fill no log', async t => {
  const hosts = Array.from({ length: 100 }, (_, index) => `10.0.1.${index + 1}`);
  const scene = new Scene(t).answers(...hosts);
  for (const host of hosts) scene.at(host, 'node-1', 8);
  await scene.open();
  assert.equal(scene.told('membership.name_taken').length, 20);
});

test('many that are silent hold up nobody who is new', async t => {
  const silent = Array.from({ length: 100 }, (_, index) => `10.0.1.${index + 1}`);
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2', ...silent);
  scene.identify = () =>
    new Promise((_resolve, reject) => {
      scene.clock.at(scene.clock.now() + 10_000, () => reject(new Error('no connection within 10000 ms')));
    });
  const opening = scene.open();
  await scene.pass(120_000);
  await opening;
  scene.at('10.0.0.3', 'node-3').answers('10.0.0.2', '10.0.0.3', ...silent);
  await scene.pass(FLOOR_MS + 12_000);
  assert.deepEqual(Object.keys(scene.seen), ['node-2', 'node-3']);
});

test('a question to an address that DNS names no more is called off', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2', '10.0.0.3');
  scene.identify = () => new Promise(() => {});
  const opening = scene.open();
  await scene.pass(10_000);
  await opening;
  await scene.answers('10.0.0.2').pass(FLOOR_MS);
  assert.deepEqual(
    scene.signals.map(({ aborted }) => aborted),
    [false, true],
  );
});

test('an answer of other addresses, however many, takes one pass over those that wait', async t => {
  const hosts = (net: number) => Array.from({ length: 200 }, (_, index) => `10.0.${net}.${index + 1}`);
  const scene = new Scene(t).answers(...hosts(1));
  scene.identify = () => new Promise(() => {});
  const opening = scene.open();
  await scene.pass(10_000);
  await opening;
  const passes = t.mock.method(Fifo.prototype, 'keep').mock;
  const { lookups } = scene;
  await scene.answers(...hosts(2)).pass(FLOOR_MS);
  assert.equal(scene.lookups, lookups + 1);
  assert.ok(passes.callCount() <= 2, String(passes.callCount()));
});

test('after it is closed nothing changes, and nobody is asked', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  await scene.source.close();
  const before = [scene.lookups, scene.questions];
  await scene.at('10.0.0.3', 'node-3').answers('10.0.0.3').pass(CEILING_MS);
  assert.deepEqual([Object.keys(scene.seen), scene.lookups, scene.questions], [['node-2'], ...before]);
});

test('what an operator wants is told to be done where the nodes are run', async t => {
  const scene = new Scene(t).at('10.0.0.2', 'node-2').answers('10.0.0.2');
  await scene.open();
  for (const kind of ['drain', 'remove', 'terminate'] as const)
    await assert.rejects(scene.source.editor.change({ kind, name: 'node-2' }, 'ann'), {
      code: 'membership_not_writable',
      message: /fabric\.example: to \w+ node-2, /,
    });
});

/** DNS and nodes that exist in words alone, and time that stands still. */
class Scene {
  readonly clock = new ManualClock(1_000);
  readonly unreachable = new MutableValue<ReadonlySet<string>>(new Set());
  readonly policy = new MutableValue<Pick<BeliefPolicy, 'mode'>>({ mode: 'strict' });
  readonly memory = new MutableValue<TlsMemory>(NO_MEMORY);
  readonly holders = new Map<string, AddressHolder>();
  readonly log: { event: string; address?: string }[] = [];
  source: MembershipSource = undefined as never;
  failure: string | undefined;
  ttlMs = 0;
  /** Who each question said had answered the last one there. */
  readonly known: (AddressHolder | undefined)[] = [];
  readonly lookedAtMs: number[] = [];
  /** Of each question. */
  readonly signals: AbortSignal[] = [];
  refusesDowngrade = true;
  questions = 0;
  changes = 0;
  mostAtOnce = 0;
  #atOnce = 0;
  #addresses: readonly FoundAddress[] = [];
  readonly #t: TestContext;

  constructor(t: TestContext) {
    this.#t = t;
  }

  lookUp = async (_signal: AbortSignal) => {
    if (this.failure !== undefined) throw new Error(this.failure);
    return { addresses: this.#addresses, ttlMs: this.ttlMs };
  };

  /** Where nobody is. */
  identify = async (_address: TcpAddress): Promise<AddressHolder> => {
    throw new Error('connection refused');
  };

  at(host: string, name: string, generation = 1): this {
    this.holders.set(host, { name, generation, isProven: true, labels: {} });
    return this;
  }

  /** Who says a name and proves nothing. */
  inPlaintext(host: string, name: string, generation = 9): this {
    this.holders.set(host, { name, generation, isProven: false, labels: {} });
    return this;
  }

  /** What is dialled for a member, by a node that refuses no step down. */
  dialled(name: string): readonly string[] {
    const policy = constant({ mode: 'optional' as const, refuseDowngrade: false });
    const directory = new MemberDirectory({
      source: this.source.view,
      policy,
      self: 'node-1',
      lists: () => false,
      memory: this.memory,
    });
    directory.close();
    return directory.member(name)?.addresses.map(formatAddress) ?? [];
  }

  answers(...hosts: readonly string[]): this {
    this.#addresses = hosts.map(host => ({ address: tcp(`${host}:5122`), priority: 0, weight: undefined }));
    return this;
  }

  async open(): Promise<void> {
    const { clock, unreachable } = this;
    this.source = await openDnsSource({
      names: ['fabric.example'],
      lookUp: async signal => {
        this.lookedAtMs.push(this.clock.now());
        return this.lookUp(signal);
      },
      identify: async (address, signal, known) => {
        this.questions += 1;
        this.signals.push(signal);
        this.known.push(known);
        this.#atOnce += 1;
        this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
        await undefined;
        try {
          return this.holders.get(address.host) ?? (await this.identify(address));
        } finally {
          this.#atOnce -= 1;
        }
      },
      self: { name: 'node-1', generation: 7 },
      unreachable,
      policy: this.policy,
      refusesDowngrade: () => this.refusesDowngrade,
      memory: this.memory,
      minTtlMs: FLOOR_MS,
      maxTtlMs: CEILING_MS,
      openTimeoutMs: 10_000,
      clock,
      random: () => 0.5,
      logger: createLogger({ write: line => this.log.push(JSON.parse(line)) }),
    });
    this.#t.after(() => this.source.close());
    this.source.view.subscribe(() => {
      this.changes += 1;
    });
  }

  /** In small steps, so that what follows from something happens at its time. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    do {
      await settled();
      this.clock.advanceTo(Math.min(this.clock.now() + 500, endMs));
    } while (this.clock.now() < endMs);
    await settled();
  }

  get lookups(): number {
    return this.lookedAtMs.length;
  }

  get seen(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries(
      this.source.view.value.members.map(({ name, addresses }) => [name, addresses.map(hostPortOf)]),
    );
  }

  get standing(): readonly string[] {
    const standing = this.source.standing.value;
    return standing.state === 'current' ? ['current'] : ['frozen', standing.problem];
  }

  get logged(): readonly string[] {
    return this.log.map(({ event }) => event);
  }

  told(event: string): readonly (string | undefined)[] {
    return this.log.filter(line => line.event === event).map(({ address }) => address);
  }
}

/** What hangs on no time has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(resolve => setImmediate(resolve));
}

function hostPortOf(address: Address): string {
  return address.kind === 'tcp' ? formatHostPort(address) : assert.fail('no TCP address');
}

function tcp(text: string): TcpAddress {
  const address = parseAddress(text);
  if (address.kind !== 'tcp') throw new TypeError('unreachable');
  return address;
}

function refused(detail: string): SelvedgeError {
  const reason = 'server_identity_mismatch';
  return new SelvedgeError('refused', `${reason}: ${detail}`, { reason, by: 'us', detail });
}
