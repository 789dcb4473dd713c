import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { parseAddress } from '../identity/address.ts';
import { constant, MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { CURRENT, type MembershipView, type SourceStanding } from '../membership/membership-source.ts';
import type { OwnWord } from '../membership/own-word.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { MembershipSettings, MembershipSourceSettings } from './membership-settings.ts';
import { NodeMembership, type PreparedSources } from './node-membership.ts';
import { NodeProblems } from './node-problems.ts';

test('a source whose settings stay goes on; one that is named no more is closed, and what is new is opened', async t => {
  const scene = new Scene(t).says('old.toml', ['node-1', 'node-2']).says('new.toml', ['node-1', 'node-2', 'node-3']);
  await scene.take(['old.toml']);
  await scene.take(['old.toml', 'new.toml']);
  assert.deepEqual(
    [scene.opened, scene.closed, scene.names],
    [['old.toml', 'new.toml'], [], ['node-1', 'node-2', 'node-3']],
  );
  await scene.take(['new.toml']);
  assert.deepEqual(
    [scene.opened, scene.closed, scene.names],
    [['old.toml', 'new.toml'], ['old.toml'], ['node-1', 'node-2', 'node-3']],
  );
});

test('sources by which somebody would be no member any more are refused, and nothing is changed by it', async t => {
  const scene = new Scene(t).says('old.toml', ['node-1', 'node-2', 'node-3']).says('new.toml', ['node-1']);
  await scene.take(['old.toml']);
  for (const next of [['new.toml'], []])
    await assert.rejects(scene.take(next), {
      code: 'config_invalid',
      message: /node-2, node-3 would be no member any more/,
    });
  assert.deepEqual([scene.closed, scene.names], [['new.toml'], ['node-1', 'node-2', 'node-3']]);
  // Who goes by name is not lost.
  scene.says('new.toml', ['node-1', 'node-2'], ['node-3']);
  await scene.take(['new.toml']);
  assert.deepEqual(scene.names, ['node-1', 'node-2']);
});

test('who was removed stays refused and who drains goes on draining when sources are exchanged, or they are not', async t => {
  const scene = new Scene(t)
    .says('old.toml', ['node-1', 'node-2'], ['node-9'], ['node-2'])
    .says('new.toml', ['node-1', 'node-2']);
  await scene.take(['old.toml']);
  await assert.rejects(scene.take(['new.toml']), {
    code: 'config_invalid',
    message: /node-9 was removed, and would not be refused any more\. node-2 drains, and would not any more\./,
  });
  scene.says('new.toml', ['node-1', 'node-2'], ['node-9'], ['node-2']);
  await scene.take(['new.toml']);
  assert.deepEqual(scene.members.membership.view.value.removed, ['node-9']);
});

test("a source that is not heard takes no other one's place", async t => {
  const scene = new Scene(t).says('old.toml', ['node-1']).says('new.toml', ['node-1']);
  await scene.take(['old.toml']);
  scene.opensFrozen = true;
  await assert.rejects(scene.take(['new.toml']), {
    code: 'membership_unavailable',
    message: /cannot be heard: it is away/,
  });
  assert.deepEqual([scene.closed, scene.names], [['new.toml'], ['node-1']]);
});

test('what is opened while the node ends is closed, and taken no more', async t => {
  const scene = new Scene(t).says('old.toml', ['node-1']).says('new.toml', ['node-1']);
  await scene.take(['old.toml']);
  const prepared = await scene.prepare(['old.toml', 'new.toml']);
  await scene.members.close();
  assert.deepEqual(scene.closed, ['new.toml', 'old.toml']);
  await scene.members.commit(prepared);
  assert.deepEqual(scene.members.membership.sources.length, 1);
  await assert.rejects(scene.take(['old.toml', 'new.toml']), { code: 'node_closed' });
});

test('a node that its own sources do not list says so, once it listens', async t => {
  const scene = new Scene(t).says('a.toml', ['node-2']);
  await scene.take(['a.toml']);
  assert.deepEqual(scene.members.notices, []);
  await scene.members.announce(constant({ generation: 7, addresses: [], labels: {}, zone: undefined, weight: 1 }));
  assert.match(scene.members.notices.join(), /^a\.toml does not list node-1 itself/);
  scene.says('a.toml', ['node-1', 'node-2']);
  assert.deepEqual(scene.members.notices, []);
});

test('one that cannot be opened changes nothing, and what was opened beside it is closed', async t => {
  const scene = new Scene(t).says('old.toml', ['node-1']).says('new.toml', ['node-1']);
  await scene.take(['old.toml']);
  await assert.rejects(scene.take(['new.toml', 'missing.toml']), { code: 'membership_unavailable' });
  assert.deepEqual([scene.closed, scene.names], [['new.toml'], ['node-1']]);
});

test('a node that was removed does not start; one that is removed later says so, and lives', async t => {
  const scene = new Scene(t).says('a.toml', ['node-2'], ['node-1']);
  await assert.rejects(scene.take(['a.toml']), { code: 'member_removed', message: /node-1 was removed/ });
  assert.deepEqual(scene.closed, ['a.toml']);
  scene.says('a.toml', ['node-1']);
  await scene.take(['a.toml']);
  assert.deepEqual([scene.members.own.value, scene.problems.all], ['active', []]);
  scene.says('a.toml', ['node-2'], ['node-1']);
  assert.equal(scene.members.own.value, 'removed');
  assert.match(scene.problems.all.join(), /^membership: this node was removed/);
  scene.says('a.toml', ['node-1', 'node-2']);
  assert.deepEqual([scene.members.own.value, scene.problems.all], ['active', []]);
});

test('a source that is not heard is a problem for as long as that', async t => {
  const scene = new Scene(t).says('a.toml', ['node-1']);
  await scene.take(['a.toml']);
  const standing = scene.standingOf('a.toml');
  standing.set({ state: 'frozen', sinceMs: 1, problem: 'it is gone' });
  assert.deepEqual(scene.problems.all, ['members: it is gone']);
  standing.set(CURRENT);
  assert.deepEqual(scene.problems.all, []);
});

test('sources hear what the node says of itself, also those that come later, before they are taken', async t => {
  const scene = new Scene(t).says('a.toml', ['node-1']).says('b.toml', ['node-1']);
  await scene.take(['a.toml']);
  assert.deepEqual(scene.announced, []);
  const word = { generation: 7, addresses: [], labels: {}, zone: undefined, weight: 1 };
  await scene.members.announce(constant(word));
  await scene.take(['a.toml', 'b.toml']);
  assert.deepEqual(scene.announced, [
    ['a.toml', 7],
    ['b.toml', 7],
  ]);
  scene.refusesOwn = true;
  scene.says('c.toml', ['node-1']);
  await assert.rejects(scene.take(['c.toml']), { code: 'node_name_held' });
  assert.deepEqual([scene.closed, scene.members.membership.sources.length], [['c.toml'], 2]);
});

class Scene {
  readonly problems: NodeProblems = new NodeProblems();
  readonly opened: string[] = [];
  readonly closed: string[] = [];
  readonly announced: [string, number][] = [];
  readonly members: NodeMembership;
  refusesOwn = false;
  opensFrozen = false;
  readonly #views = new Map<string, MutableValue<MembershipView>>();
  readonly #standings = new Map<string, MutableValue<SourceStanding>>();

  constructor(t: TestContext) {
    this.members = new NodeMembership({
      nodeName: 'node-1',
      open: source => this.#open(source),
      problems: this.problems,
      logger: createLogger({ write: () => {} }),
      metrics: createMetrics(),
    });
    t.after(() => this.members.close());
  }

  says(
    file: string,
    names: readonly string[],
    removed: readonly string[] = [],
    draining: readonly string[] = [],
  ): this {
    const members = names.map(name => ({
      name,
      addresses: [parseAddress(`http://${name}.example`)],
      labels: {},
      ...(draining.includes(name) ? { isDraining: true as const } : {}),
    }));
    const view = this.#views.get(file);
    if (view === undefined) this.#views.set(file, new MutableValue<MembershipView>({ members, removed }));
    else view.set({ members, removed });
    return this;
  }

  async take(files: readonly string[]): Promise<void> {
    await this.members.commit(await this.prepare(files));
  }

  prepare(files: readonly string[]): Promise<PreparedSources> {
    const sources = files.map(membersFile => ({ kind: 'file', membersFile }) as const);
    const settings: MembershipSettings | undefined = sources.length === 0 ? undefined : { sources };
    return this.members.prepare(settings);
  }

  get names(): readonly string[] {
    return this.members.membership.view.value.members.map(({ name }) => name).toSorted();
  }

  standingOf(file: string): MutableValue<SourceStanding> {
    return this.#standings.get(file) ?? assert.fail(`${file} is not open`);
  }

  async #open(source: MembershipSourceSettings) {
    const file = source.kind === 'file' ? source.membersFile : source.kind;
    const view = this.#views.get(file);
    if (view === undefined)
      throw new SelvedgeError('membership_unavailable', 'gone', { source: 'file', problem: 'gone' });
    const standing = new MutableValue<SourceStanding>(
      this.opensFrozen ? { state: 'frozen', sinceMs: 1, problem: 'it is away' } : CURRENT,
    );
    this.#standings.set(file, standing);
    this.opened.push(file);
    return {
      kind: 'file' as const,
      view,
      standing,
      lists: true,
      editor: { change: async () => {} },
      announce: async (own: ObservableValue<OwnWord>) => {
        if (this.refusesOwn) throw new SelvedgeError('node_name_held', 'held', { node: 'node-1' });
        this.announced.push([file, own.value.generation]);
      },
      close: async () => {
        this.closed.push(file);
      },
    };
  }
}
