import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { formatHostPort } from '../../src/identity/address.ts';
import type { MembershipView } from '../../src/membership/membership-source.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { until } from '../kit/until.ts';
import { type MakeMembershipPlace, MEMBERSHIP_PLACES, type Published } from './membership-places.ts';

const THREE: Published = { 'node-1': 7001, 'node-2': 7002, 'node-3': 7003 };

// What every source of members promises, whatever it is: S1 to S4 of MembershipSource.
for (const [kind, makePlace] of Object.entries(MEMBERSHIP_PLACES)) {
  test(`${kind}: who joins, leaves and moves is told, each once; another order is no change`, async t => {
    const { place, source, shown, shows, changes } = await setUp(t, makePlace, THREE);
    assert.deepEqual([shown(), source.standing.value.state], [THREE, 'current']);
    await place.publish({ 'node-3': 7003, 'node-1': 7001, 'node-2': 7002 });
    await place.publish({ ...THREE, 'node-4': 7004 });
    await shows({ ...THREE, 'node-4': 7004 });
    assert.equal(changes.length, 1);
    const without: Published = { 'node-1': 7001, 'node-3': 7003, 'node-4': 7004 };
    await place.publish(without);
    await shows(without);
    await place.publish({ ...without, 'node-4': 7044 });
    await shows({ ...without, 'node-4': 7044 });
    assert.ok(
      changes.every(view => view.members.some(({ name }) => name === 'node-4')),
      'who moves does not leave meanwhile',
    );
    assert.deepEqual(source.view.value.removed, []);
  });

  test(`${kind}: who comes and goes quickly ends where it ended, and nobody else is touched`, async t => {
    const { place, shows, changes } = await setUp(t, makePlace, THREE);
    for (let turn = 0; turn < 10; turn += 1) {
      await place.publish({ 'node-1': 7001, 'node-2': 7002 });
      await place.publish(THREE);
    }
    await place.publish({ ...THREE, 'node-2': 7022 });
    await shows({ ...THREE, 'node-2': 7022 });
    for (const view of changes)
      assert.deepEqual(
        view.members
          .map(({ name }) => name)
          .filter(isFirstTwo)
          .toSorted(),
        FIRST_TWO,
      );
  });

  test(`${kind}: no name is a member twice`, async t => {
    const { place, source, shows, changes } = await setUp(t, makePlace, THREE);
    await place.publishTwice(THREE, 'node-2');
    await place.publish({ ...THREE, 'node-4': 7004 });
    await shows({ ...THREE, 'node-4': 7004 });
    for (const { members } of [...changes, source.view.value])
      assert.equal(new Set(members.map(({ name }) => name)).size, members.length);
  });

  test(`${kind}: garbage, nobody and silence change nothing and are said; what is good afterwards is taken`, async t => {
    const { place, source, shown, shows, said, changes } = await setUp(t, makePlace, THREE);
    const spoil = {
      garbage: () => place.publishGarbage(),
      nobody: () => place.publishNobody(),
      silence: () => place.lose(),
    };
    let port = 8_000;
    for (const [how, doIt] of Object.entries(spoil)) {
      const before = shown();
      const saidBefore = said();
      changes.length = 0;
      await doIt();
      const { standing } = source;
      const state = how !== 'garbage' || place.garbageFreezes ? 'frozen' : 'current';
      await until(`${how} is said`, () => standing.value.state === state && said() > saidBefore);
      assert.deepEqual([shown(), changes], [before, []], how);
      if (standing.value.state === 'frozen') assert.doesNotMatch(standing.value.problem, /\p{Cc}/u, how);
      port += 1;
      const next = { ...THREE, 'node-3': port };
      await place.publish(next);
      if (how === 'silence') await place.restore();
      await shows(next);
      await until(`it is current again after ${how}`, () => standing.value.state === 'current');
    }
  });

  test(`${kind}: what is slow to be told changes nobody else, and is taken as a whole`, async t => {
    const { place, source, shows, changes } = await setUp(t, makePlace, THREE);
    const next = { ...THREE, 'node-2': 7022, 'node-4': 7004 };
    await place.publishSlowly(next);
    await shows(next);
    assert.equal(changes.length, 1);
    await until('it is current', () => source.standing.value.state === 'current');
  });

  test(`${kind}: a clock that jumps changes nothing, and what is published then is taken`, async t => {
    const { place, source, shown, shows, changes } = await setUp(t, makePlace, THREE);
    const now = Date.now;
    let jumpMs = 0;
    t.mock.method(Date, 'now', () => now() + jumpMs);
    let port = 8_000;
    for (const days of [400, -400]) {
      jumpMs = days * 86_400_000;
      const before = shown();
      changes.length = 0;
      port += 1;
      await place.publish({ ...THREE, 'node-2': port });
      await shows({ ...THREE, 'node-2': port });
      assert.equal(changes.length, 1, `${days}: nothing but what was published, before ${JSON.stringify(before)}`);
      assert.equal(source.standing.value.state, 'current');
    }
  });

  test(`${kind}: after it is closed nothing changes`, async t => {
    const { place, source, shown, changes } = await setUp(t, makePlace, THREE);
    const other = await place.open(createLogger({ write: () => {} }));
    t.after(() => other.close());
    await source.close();
    await place.publish({ ...THREE, 'node-4': 7004 });
    await until('another source has heard of it', () => other.view.value.members.length === 4);
    assert.deepEqual([shown(), changes], [THREE, []]);
  });
}

const FIRST_TWO = ['node-1', 'node-2'];

function isFirstTwo(name: string): boolean {
  return FIRST_TWO.includes(name);
}

async function setUp(t: TestContext, makePlace: MakeMembershipPlace, members: Published) {
  const place = await makePlace(t);
  await place.publish(members);
  let lines = 0;
  const logger = createLogger({
    write: line => {
      if (['warn', 'error'].includes(String(JSON.parse(line).level))) lines += 1;
    },
  });
  const source = await place.open(logger);
  t.after(() => source.close());
  const changes: MembershipView[] = [];
  source.view.subscribe(view => changes.push(view));
  const shown = (): Published =>
    Object.fromEntries(
      source.view.value.members
        .map(({ name, addresses }): [string, number] => [name, portOf(addresses[0])])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  const shows = (wanted: Published) =>
    until(`${JSON.stringify(wanted)} is shown`, () => JSON.stringify(shown()) === JSON.stringify(sorted(wanted)));
  return { place, source, shown, shows, changes, said: () => lines };
}

function sorted(members: Published): Published {
  return Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function portOf(address: MembershipView['members'][number]['addresses'][number] | undefined): number {
  if (address?.kind !== 'tcp') assert.fail('no TCP address');
  assert.equal(formatHostPort(address), `127.0.0.1:${address.port}`);
  return address.port;
}
