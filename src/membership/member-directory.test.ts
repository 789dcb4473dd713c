import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { formatAddress, parseAddress } from '../identity/address.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { Member } from './member.ts';
import { type BeliefPolicy, MemberDirectory } from './member-directory.ts';
import type { MembershipView } from './membership-source.ts';
import { type MemberWord, NO_MEMORY, type TlsMemory } from './tls-memory.ts';

test('the members are those of the source but this node', t => {
  const { directory } = setUp(t, { 'node-1': 'node-1.example', 'node-2': 'node-2.example' });
  assert.deepEqual(
    directory.members.value.map(member => member.name),
    ['node-2'],
  );
  assert.equal(directory.member('node-1'), undefined);
});

test('what a member says changes scheme and port of the hosts it has, never the hosts', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example' });
  directory.learn('node-2', said('https://node-2.example:7000', 'https://evil.example:1'), true);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:7000']);
});

test('what a stranger says adds no member', t => {
  const { directory } = setUp(t, { 'node-2': 'node-2.example' });
  directory.learn('node-9', said('https://node-9.example:7000'), true);
  directory.learnTls('node-9');
  assert.equal(directory.member('node-9'), undefined);
  assert.equal(directory.members.value.length, 1);
});

test('in strict nothing is believed that did not come over mutual TLS', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example' }, { mode: 'strict' });
  directory.learn('node-2', said('https://node-2.example:7000'), false);
  assert.deepEqual(addresses('node-2'), ['node-2.example:5122']);
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:7000']);
});

for (const mode of ['plain', 'optional'] as const) {
  test(`in ${mode} a member is believed over plaintext too`, t => {
    const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example' }, { mode });
    directory.learn('node-2', said('http://node-2.example:7000'), false);
    assert.deepEqual(addresses('node-2'), ['http://node-2.example:7000']);
  });
}

test('with refuse-downgrade a member once seen with TLS is not taken back to plaintext by a plaintext word', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example' }, { refuseDowngrade: true });
  directory.learn('node-2', said('https://node-2.example:5122'), true);
  directory.learn('node-2', said('http://node-2.example:5122'), false);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:5122']);
  directory.learn('node-2', said('http://node-2.example:5122'), true);
  assert.deepEqual(addresses('node-2'), ['http://node-2.example:5122'], 'its word over mutual TLS counts');
});

test('with refuse-downgrade a remembered member is dialled over TLS alone, whatever its entry leaves open', t => {
  const memory = new MutableValue<TlsMemory>(
    new Map([['node-2', { entry: ['node-2.example:5122'], generation: 1, permitted: false }]]),
  );
  const entries = { 'node-2': 'node-2.example', 'node-3': 'node-3.example' };
  const { directory, source, addresses } = setUp(t, entries, { refuseDowngrade: true }, memory);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:5122']);
  assert.equal(directory.member('node-2')?.tlsOnly, true);
  assert.deepEqual(addresses('node-3'), ['node-3.example:5122']);
  source.set(members({ ...entries, 'node-2': 'http://node-2.example' }));
  assert.deepEqual(addresses('node-2'), ['http://node-2.example:5122']);
  assert.equal(directory.member('node-2')?.tlsOnly, undefined);
});

test('in plain nobody is remembered, and without refuse-downgrade it is no reason to refuse', t => {
  const memory = new MutableValue<TlsMemory>(NO_MEMORY);
  const { directory, policy, addresses } = setUp(t, { 'node-2': 'node-2.example' }, {}, memory);
  directory.learn('node-2', said('https://node-2.example:5122'), true);
  assert.ok(directory.spokeTls('node-2'));
  assert.equal(directory.refusesPlaintext('node-2'), false);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:5122']);
  policy.set({ mode: 'plain', refuseDowngrade: true });
  assert.equal(memory.value.size, 0);
  assert.equal(directory.spokeTls('node-2'), false);
});

test('without refuse-downgrade the newest word counts', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example' });
  directory.learn('node-2', said('https://node-2.example:5122'), true);
  directory.learn('node-2', said('http://node-2.example:5122'), false);
  assert.deepEqual(addresses('node-2'), ['http://node-2.example:5122']);
});

test('a changed entry of the source forgets what was learned of that member, and of no other', t => {
  const { directory, source, addresses } = setUp(t, { 'node-2': 'node-2.example', 'node-3': 'node-3.example' });
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  directory.learn('node-3', said('https://node-3.example:7000'), true);
  source.set(members({ 'node-2': 'node-2.example:6000', 'node-3': 'node-3.example' }));
  assert.deepEqual(addresses('node-2'), ['node-2.example:6000']);
  assert.deepEqual(addresses('node-3'), ['https://node-3.example:7000']);
});

test('a member that left and came back is not remembered', t => {
  const { directory, source, addresses } = setUp(t, { 'node-2': 'node-2.example' });
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  source.set({ members: [], removed: [] });
  assert.equal(directory.member('node-2'), undefined);
  source.set(members({ 'node-2': 'node-2.example' }));
  assert.deepEqual(addresses('node-2'), ['node-2.example:5122']);
});

test('a member that refused plaintext is dialled with TLS from then on, until it says more', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'http://node-2.example:1' });
  directory.learnTls('node-2');
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:1', 'http://node-2.example:1']);
  directory.learn('node-2', said('http://node-2.example:1'), false);
  assert.deepEqual(addresses('node-2'), ['http://node-2.example:1']);
});

test('a member that has an https address already learns nothing from a refusal', t => {
  const { directory, changes } = setUp(t, { 'node-2': 'https://node-2.example:1' });
  directory.learnTls('node-2');
  assert.equal(changes.length, 0);
});

test('subscribers hear of changes only', t => {
  const { directory, source, changes } = setUp(t, { 'node-2': 'node-2.example' });
  source.set(members({ 'node-2': 'node-2.example' }));
  assert.equal(changes.length, 0, 'the same members in another list');
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  assert.equal(changes.length, 1);
});

test('what one member says leaves the entries of all others as they are', t => {
  const { directory, addresses } = setUp(t, { 'node-2': 'node-2.example', 'node-3': 'node-3.example' });
  const [, other] = directory.members.value;
  directory.learn('node-2', said('https://node-2.example:7000'), true);
  assert.deepEqual(addresses('node-2'), ['https://node-2.example:7000']);
  assert.equal(directory.members.value[1], other);
  assert.equal(directory.member('node-3'), other);
});

test('a source that says something else of one member leaves all others as they are', t => {
  const entries = { 'node-2': 'node-2.example', 'node-3': 'node-3.example', 'node-4': 'node-4.example' };
  const { directory, source, addresses } = setUp(t, entries);
  directory.learn('node-3', said('https://node-3.example:7000'), true);
  const others = ['node-3', 'node-4'].map(name => directory.member(name));
  source.set(members({ ...entries, 'node-2': 'elsewhere.example' }));
  assert.deepEqual(addresses('node-2'), ['elsewhere.example:5122']);
  assert.deepEqual(addresses('node-3'), ['https://node-3.example:7000']);
  for (const [index, name] of ['node-3', 'node-4'].entries()) assert.equal(directory.member(name), others[index]);
});

test('a member that left and came back as it was is told anew', t => {
  const { directory, source, changes } = setUp(t, { 'node-2': 'node-2.example' });
  source.set(members({}));
  source.set(members({ 'node-2': 'node-2.example' }));
  assert.deepEqual([changes.length, directory.members.value.length], [2, 1]);
});

test('where no source lists all members, who is out of sight and comes back takes no step down', t => {
  const { directory, source } = setUp(t, { 'node-2': '10.0.0.2' }, { refuseDowngrade: true }, undefined, false);
  directory.learn('node-2', said('https://10.0.0.2:5122', 'http://10.0.0.2:5122'), true);
  source.set(members({}));
  assert.ok(directory.refusesPlaintext('node-2'), 'also of a stranger that is called so');
  source.set(members({ 'node-2': '10.6.6.6' }));
  assert.equal(directory.member('node-2')?.tlsOnly, true);
  source.set({ members: [], removed: ['node-2'] });
  assert.equal(directory.refusesPlaintext('node-2'), false);
});

test('a closed directory follows its source no more', t => {
  const { directory, source } = setUp(t, { 'node-2': 'node-2.example' });
  directory.close();
  source.set({ members: [], removed: [] });
  assert.equal(directory.members.value.length, 1);
});

function setUp(
  t: TestContext,
  entries: Readonly<Record<string, string>>,
  changes: Partial<BeliefPolicy> = {},
  memory = new MutableValue<TlsMemory>(NO_MEMORY),
  lists = true,
) {
  const policy = new MutableValue<BeliefPolicy>({ mode: 'optional', refuseDowngrade: false, ...changes });
  const source = new MutableValue(members(entries));
  const directory = new MemberDirectory({
    source,
    policy,
    self: 'node-1',
    lists: () => lists,
    memory,
  });
  t.after(() => directory.close());
  const seen: (readonly Member[])[] = [];
  directory.members.subscribe(next => seen.push(next));
  const addresses = (name: string) => directory.member(name)?.addresses.map(formatAddress);
  return { directory, source, policy, changes: seen, addresses };
}

function members(entries: Readonly<Record<string, string>>): MembershipView {
  const listed = Object.entries(entries).map(([name, address]) => ({
    name,
    addresses: [parseAddress(address)],
    labels: {},
  }));
  return { members: listed, removed: [] };
}

function said(...texts: readonly string[]): MemberWord {
  return {
    generation: 1,
    mode: 'optional',
    addresses: texts.map(text => {
      const address = parseAddress(text);
      assert.ok(address.kind === 'tcp');
      return address;
    }),
  };
}
