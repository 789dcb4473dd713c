import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { nodeSettings } from '../../test/kit/tls-settings.ts';
import { until } from '../../test/kit/until.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { MODE_STATE_FORMAT, type ModeState } from './mode-state.ts';
import { ModeWatch } from './mode-watch.ts';

const HOUR = 3_600_000;
const START = 10_000 * HOUR;

test('the mode optional is told at the start and every 24 hours, with what was spoken in plaintext since', async () => {
  const { clock, said, metrics, scene, last, watch } = setUp({ mode: 'optional' });
  scene.obstacles = ['node-2 is in mode plain and could not reach this node.'];
  await until('it is told', () => said('mode.optional') === 1);
  assert.deepEqual([last().forHours, last().plaintextPeers, last().plaintextCalls], [0, 0, 0]);
  metrics.plaintextCalls.inc(7);
  scene.plaintextPeers = ['node-2'];
  clock.advanceTo(START + 23 * HOUR);
  watch.look();
  scene.plaintextPeers = ['node-3'];
  clock.advanceTo(START + 24 * HOUR);
  await until('it is told again', () => said('mode.optional') === 2);
  const { forHours, plaintextPeers, plaintextCalls, obstacles } = last();
  assert.deepEqual([forHours, plaintextPeers, plaintextCalls, obstacles], [24, 2, 7, scene.obstacles]);
  scene.plaintextPeers = [];
  clock.advanceTo(START + 48 * HOUR);
  await until('and again', () => said('mode.optional') === 3);
  assert.deepEqual([last().plaintextPeers, last().plaintextCalls], [0, 0]);
  assert.match(await metrics.expose(), /^selvedge_strict_obstacles 1$/m);
});

test('since when it is optional is remembered, until it is not', async () => {
  const { scene, state, clock, last, said, metrics, watch } = setUp(
    { mode: 'optional' },
    { optionalSinceMs: START - 50 * HOUR },
  );
  await until('it is told', () => said('mode.optional') === 1);
  assert.equal(last().forHours, 50);
  scene.configure({ mode: 'strict' });
  assert.equal(state.value.optionalSinceMs, undefined);
  assert.deepEqual(watch.notices, []);
  assert.match(await metrics.expose(), /^selvedge_optional_since_timestamp_seconds 0$/m);
  assert.equal(clock.timers, 0);
  scene.configure({ mode: 'optional' });
  assert.equal(state.value.optionalSinceMs, START);
  await until('it is told anew', () => said('mode.optional') === 2);
});

test('a deadline is announced three times, and then the node turns, once', async () => {
  const { clock, said, state, scene, watch } = setUp({
    mode: 'optional',
    plaintextDeadline: new Date(START + 200 * HOUR),
  });
  assert.match(watch.notices.join(), /plaintext is refused from 1971-.* on/);
  const announced: number[] = [];
  for (const hours of [31, 32, 175, 176, 198, 199]) {
    clock.advanceTo(START + hours * HOUR);
    announced.push(said('mode.plaintext_deadline_near'));
  }
  assert.deepEqual(announced, [0, 1, 1, 2, 2, 3]);
  assert.equal(scene.turns, 0);
  clock.advanceTo(START + 200 * HOUR);
  await until('it has turned', () => said('mode.plaintext_deadline_passed') === 1);
  assert.equal(state.value.turnedAfterMs, START + 200 * HOUR);
  const nagged = said('mode.optional');
  clock.advanceTo(START + 300 * HOUR);
  watch.look();
  assert.deepEqual([scene.turns, said('mode.optional')], [1, nagged], 'it rests');
  assert.match(watch.notices.join(), /this node is strict; write mode = "strict"/);
});

test('while something stands in the way it says what, once for each change, and looks again by itself', async () => {
  const { clock, said, scene, last, watch } = setUp(
    { mode: 'optional', plaintextDeadline: new Date(START - HOUR) },
    {},
    ['1 member(s) are away'],
  );
  scene.obstacles = ['2 member(s) are away'];
  clock.advanceTo(START + 60_000);
  assert.equal(said('mode.plaintext_deadline_held'), 1);
  scene.obstacles = ['node-2 is in mode plain'];
  clock.advanceTo(START + 70_000);
  assert.equal(said('mode.plaintext_deadline_held'), 2);
  assert.deepEqual(last('mode.plaintext_deadline_held').obstacles, scene.obstacles);
  assert.match(watch.notices.join(), /has passed, but: node-2 is in mode plain/);
  assert.equal(scene.turns, 0);
  scene.obstacles = [];
  clock.advanceTo(START + 80_000);
  await until('it has turned', () => said('mode.plaintext_deadline_passed') === 1);
});

test('connections of clients are told, and hold nothing', async () => {
  const deadline = new Date(START + 2 * HOUR);
  const { clock, said, scene, last } = setUp({ mode: 'optional', plaintextDeadline: deadline });
  scene.clients = ['1 plaintext connection(s) are open'];
  clock.advanceTo(START + HOUR);
  assert.deepEqual(last('mode.plaintext_deadline_near').obstacles, scene.clients);
  clock.advanceTo(START + 2 * HOUR);
  await until('it has turned', () => said('mode.plaintext_deadline_passed') === 1);
  assert.equal(said('mode.plaintext_deadline_held'), 0);
});

test('a turn that fails is an obstacle, and tried again', async () => {
  const { clock, said, scene, state, last } = setUp({ mode: 'optional', plaintextDeadline: new Date(START + 1) });
  scene.turnFails = true;
  clock.advanceTo(START + 1);
  await until('it says so', () => said('mode.plaintext_deadline_held') === 1);
  assert.deepEqual(last('mode.plaintext_deadline_held').obstacles, ['it cannot be']);
  assert.equal(state.value.turnedAfterMs, undefined);
  assert.equal(scene.turns, 1);
  scene.turnFails = false;
  clock.advanceTo(START + 10_000);
  await until('it has turned', () => said('mode.plaintext_deadline_passed') === 1);
});

test('another deadline, or none, begins anew', async () => {
  const { scene, state, watch } = setUp(
    { mode: 'optional', plaintextDeadline: new Date(START - HOUR) },
    { turnedAfterMs: START - HOUR },
  );
  assert.equal(scene.turns, 0, 'it has turned already');
  scene.configure({ mode: 'optional', plaintextDeadline: new Date(START + HOUR) });
  assert.equal(state.value.turnedAfterMs, undefined);
  assert.match(watch.notices.join(), /plaintext is refused from/);
  scene.configure({ mode: 'optional' });
  assert.doesNotMatch(watch.notices.join(), /plaintext is refused from/);
});

test('what changes within a moment is looked at once', () => {
  const { scene, clock, watch } = setUp({ mode: 'optional' });
  const before = scene.looks;
  for (let change = 0; change < 5; change += 1) watch.lookSoon();
  assert.equal(scene.looks, before);
  clock.advanceTo(START + 1_000);
  assert.equal(scene.looks, before + 1);
  watch.lookSoon();
  watch.close();
  assert.equal(clock.timers, 0);
});

function setUp(
  configured: Parameters<typeof nodeSettings>[0],
  remembered: Partial<ModeState> = {},
  obstacles: readonly string[] = [],
) {
  const clock = new ManualClock(START);
  const lines: { event: string; [field: string]: unknown }[] = [];
  const metrics = createMetrics();
  const state = new MutableValue<ModeState>({ ...MODE_STATE_FORMAT.empty, ...remembered });
  let settings = nodeSettings(configured);
  const scene = {
    obstacles,
    clients: [] as readonly string[],
    plaintextPeers: [] as readonly string[],
    turns: 0,
    looks: 0,
    turnFails: false,
    configure: (next: Parameters<typeof nodeSettings>[0]) => {
      settings = nodeSettings(next);
      watch.look();
    },
  };
  const watch = new ModeWatch({
    configured: () => settings,
    state,
    obstacles: () => {
      scene.looks += 1;
      return scene.obstacles;
    },
    clients: () => scene.clients,
    plaintextPeers: () => scene.plaintextPeers,
    turn: async () => {
      scene.turns += 1;
      if (scene.turnFails) throw new Error('it cannot be');
    },
    logger: createLogger({ write: line => lines.push(JSON.parse(line)) }),
    metrics,
    clock,
  });
  watch.look();
  const of = (event: string) => lines.filter(line => line.event === event);
  const last = (event = 'mode.optional') => of(event).at(-1) ?? { event: 'none' };
  return { clock, metrics, state, watch, scene, said: (event: string) => of(event).length, last };
}
