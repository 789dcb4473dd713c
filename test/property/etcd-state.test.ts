import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterEvents, afterRange, type EtcdState } from '../../src/membership/etcd-state.ts';
import { etcdStateFormat } from '../../src/membership/etcd-state-file.ts';
import { viewOf } from '../../src/membership/etcd-view.ts';

const PREFIX = '/selvedge/dev/';
const NAMES = ['a', 'b', 'c'];

const registration = fc
  .integer({ min: 1, max: 3 })
  .map(port => JSON.stringify({ addresses: [`a:${port}`], generation: 1 }));
const roster = fc
  .constantFrom('active', 'draining', 'removed', 'terminating')
  .map(state => JSON.stringify({ state, by: 'ops', atMs: 1 }));
const garbage = fc.constantFrom('', '{', '{"addresses":[]}', '{"state":"gone"}');

interface Write {
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

const meant: fc.Arbitrary<Write> = fc.oneof(
  fc.record({
    key: fc.constantFrom(...NAMES.map(name => `nodes/${name}`)),
    value: fc.option(registration, { nil: undefined }),
  }),
  fc.record({
    key: fc.constantFrom(...NAMES.map(name => `members/${name}`)),
    value: fc.option(roster, { nil: undefined }),
  }),
);
const broken: fc.Arbitrary<Write> = fc.record({
  key: fc.constantFrom(...NAMES.flatMap(name => [`nodes/${name}`, `members/${name}`])),
  value: garbage,
});

/** The store of an etcd, in which a node is registered that never goes: nothing is ever empty. */
class Store {
  revision = 1;
  readonly #keys = new Map<string, { value: string; modRevision: number }>();

  constructor() {
    this.write({ key: 'nodes/anchor', value: JSON.stringify({ addresses: ['anchor:1'], generation: 1 }) });
  }

  write({ key, value }: Write) {
    this.revision += 1;
    const event = { key: PREFIX + key, value, modRevision: this.revision };
    if (value === undefined) this.#keys.delete(PREFIX + key);
    else this.#keys.set(PREFIX + key, { value, modRevision: this.revision });
    return { clusterId: 'c', revision: this.revision, raftTerm: 2, events: [event] };
  }

  range() {
    const kvs = [...this.#keys].map(([key, stored]) => ({ key, lease: '0', ...stored }));
    return { clusterId: 'c', revision: this.revision, raftTerm: 2, kvs };
  }
}

const viewIn = (state: EtcdState) => viewOf(state.entries.values());

test('whoever hears of all that is meant, by events or by reading it, in whatever mixture, knows the same', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ write: meant, isRead: fc.boolean() }), { maxLength: 30 }), steps => {
      const store = new Store();
      let state = afterRange(undefined, PREFIX, store.range());
      for (const { write, isRead } of steps) {
        const events = store.write(write);
        state = isRead ? afterRange(state, PREFIX, store.range()) : afterEvents(state, PREFIX, events);
        assert.deepEqual(viewIn(state), viewIn(afterRange(undefined, PREFIX, store.range())));
        assert.deepEqual(etcdStateFormat(PREFIX).parse(etcdStateFormat(PREFIX).serialize(state)), { value: state });
      }
    }),
    { numRuns: 100 },
  );
});

test('garbage at any time changes nothing, and leaves no trace once what it covered is written again', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(meant, broken), { maxLength: 30 }), writes => {
      const [store, clean] = [new Store(), new Store()];
      let state = afterRange(undefined, PREFIX, store.range());
      const covered = new Map<string, string | undefined>();
      for (const write of writes) {
        const isBroken = write.value !== undefined && !isMeant(write);
        const before = viewIn(state);
        state = afterEvents(state, PREFIX, store.write(write));
        if (isBroken) assert.deepEqual(viewIn(state), before);
        else {
          clean.write(write);
          covered.set(write.key, write.value);
        }
      }
      for (const [key, value] of covered) state = afterEvents(state, PREFIX, store.write({ key, value }));
      assert.deepEqual(viewIn(state), viewIn(afterRange(undefined, PREFIX, clean.range())));
    }),
    { numRuns: 100 },
  );
});

test('an etcd that lost what it had, or is another one, makes nobody leave, takes nobody out and brings nobody back', () => {
  fc.assert(
    fc.property(
      fc.array(meant, { maxLength: 20 }),
      fc.array(meant, { maxLength: 5 }),
      fc.constantFrom('c', 'other'),
      (known, left, clusterId) => {
        const [store, lost] = [new Store(), new Store()];
        for (const write of known) store.write(write);
        for (const write of left) lost.write(write);
        const before = afterRange(undefined, PREFIX, { ...store.range(), revision: 1_000 });
        let state = afterRange(before, PREFIX, { ...lost.range(), clusterId });
        for (let round = 0; round < 2; round += 1) {
          assert.deepEqual(viewIn(state).removed, viewIn(before).removed);
          const members = viewIn(state).members.map(({ name }) => name);
          for (const { name } of viewIn(before).members) assert.ok(members.includes(name), `${name} stays`);
          state = afterRange(state, PREFIX, { ...lost.range(), clusterId });
        }
      },
    ),
    { numRuns: 200 },
  );
});

function isMeant({ key, value }: Write): boolean {
  return value !== undefined && (key.startsWith('nodes/') ? value.includes('generation') : value.includes('atMs'));
}
