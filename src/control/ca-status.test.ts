import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaRoot, CaState, CaStatus, CaUsage, RootVerdict } from '../rpc/ca-messages.ts';
import type { Unreachable } from '../rpc/control-messages.ts';
import { foldCaStates } from './ca-status.ts';

const OLD: CaRoot = { subject: 'CN=dev CA', fingerprintSha256: '11'.repeat(32), notAfterMs: 1_000 };
const NEW: CaRoot = { subject: 'CN=dev CA', fingerprintSha256: '22'.repeat(32), notAfterMs: 2_000 };
const FOREIGN: CaRoot = { subject: 'CN=web CA', fingerprintSha256: '33'.repeat(32), notAfterMs: 3_000 };

function use(usage: string, roots: readonly CaRoot[], ...leafRoots: readonly CaRoot[]): CaUsage {
  return { usage, trustGeneration: 1, roots, leafRoots: leafRoots.map(root => root.fingerprintSha256) };
}

/** A member that trusts `roots` and presents a certificate of `leaf`, in both directions. */
function member(nodeName: string, roots: readonly CaRoot[], leaf: CaRoot, ...more: readonly CaUsage[]): CaState {
  const usages = [use('server', roots, leaf), use('client', roots, leaf), ...more];
  return { nodeName, usages, addressesRedacted: false };
}

/** As the first of `states` tells it. */
function fold([own, ...answers]: readonly CaState[], unreachable: readonly Unreachable[]): CaStatus {
  assert.ok(own);
  return foldCaStates(own, answers, unreachable);
}

function statusOf(status: CaStatus, { fingerprintSha256 }: CaRoot) {
  const root = status.roots.find(each => each.fingerprintSha256 === fingerprintSha256);
  assert.ok(root?.switch != null && root.drop !== null);
  return { ...root, switch: root.switch, drop: root.drop };
}

function reasons({ obstacles, inTheWay, safe }: RootVerdict): readonly string[] {
  assert.equal(inTheWay, obstacles.length);
  assert.equal(safe, obstacles.length === 0);
  return obstacles.map(({ nodeName, reason }) => `${nodeName} ${reason}`);
}

test('a rollover is safe to switch when all trust the new root, and safe to drop when none presents the old one', () => {
  const both = [OLD, NEW];
  const steps: readonly (readonly [string, readonly CaState[], object])[] = [
    ['before', [member('a', [OLD], OLD), member('b', [OLD], OLD)], { old: [true, false] }],
    ['one trusts it', [member('a', both, OLD), member('b', [OLD], OLD)], { old: [true, false], new: [false, true] }],
    ['all trust it', [member('a', both, OLD), member('b', both, OLD)], { old: [true, false], new: [true, true] }],
    ['one switched', [member('a', both, NEW), member('b', both, OLD)], { old: [true, false], new: [true, false] }],
    ['all switched', [member('a', both, NEW), member('b', both, NEW)], { old: [true, true], new: [true, false] }],
    ['one dropped', [member('a', [NEW], NEW), member('b', both, NEW)], { old: [false, true], new: [true, false] }],
    ['after', [member('a', [NEW], NEW), member('b', [NEW], NEW)], { new: [true, false] }],
  ];
  for (const [name, states, expected] of steps) {
    const { roots } = fold(states, []);
    const verdicts = roots.map(root => [
      root.fingerprintSha256 === OLD.fingerprintSha256 ? 'old' : 'new',
      [root.switch?.safe, root.drop?.safe],
    ]);
    assert.deepEqual(Object.fromEntries(verdicts), expected, name);
  }
});

test('who is in the way is named with what it does', () => {
  const status = fold([member('node-10', [OLD], OLD), member('node-2', [OLD, NEW], NEW)], []);
  assert.deepEqual(reasons(statusOf(status, NEW).switch), ['node-10 does not trust it as server, client']);
  assert.deepEqual(reasons(statusOf(status, OLD).drop), ['node-10 presents a certificate of it as server, client']);
  assert.deepEqual(reasons(statusOf(status, NEW).drop), ['node-2 presents a certificate of it as server, client']);
});

test('trust in one direction alone is not enough, and one usage that presents it is too much', () => {
  const half: CaState = {
    nodeName: 'node-2',
    usages: [use('server', [OLD, NEW], NEW), use('client', [OLD], OLD)],
    addressesRedacted: false,
  };
  const status = fold([member('node-1', [OLD, NEW], NEW), half], []);
  assert.deepEqual(reasons(statusOf(status, NEW).switch), ['node-2 does not trust it as client']);
  assert.deepEqual(reasons(statusOf(status, OLD).drop), ['node-2 presents a certificate of it as client']);
  const { trustedAsServer, trustedAsClient, presented, members } = statusOf(status, NEW);
  assert.deepEqual(
    { trustedAsServer, trustedAsClient, presented },
    { trustedAsServer: 2, trustedAsClient: 1, presented: 2 },
  );
  assert.deepEqual(members, [
    { nodeName: 'node-1', trustedAs: ['server', 'client'], presentedAs: ['server', 'client'] },
    { nodeName: 'node-2', trustedAs: ['server'], presentedAs: ['server'] },
  ]);
});

test('a member that did not answer stands in the way of both, and is counted as unknown', () => {
  const states = [member('node-1', [OLD, NEW], NEW)];
  const silent = { nodeName: 'node-3', reason: 'The server does not implement the method' };
  const status = fold(states, [silent]);
  const expected = ['node-3 did not answer: The server does not implement the method'];
  assert.deepEqual(reasons(statusOf(status, NEW).switch), expected);
  assert.deepEqual(reasons(statusOf(status, OLD).drop), expected);
  assert.deepEqual([status.members, status.unknown, status.unreachable], [2, 1, [silent]]);
  const answered = fold(states, []);
  assert.ok(statusOf(answered, NEW).switch.safe && statusOf(answered, OLD).drop.safe);
});

test('a profile counts where it dials members, and not where it trusts others alone', () => {
  const toMembers = use('profile 1', [OLD], NEW);
  const toOthers = use('profile 2', [FOREIGN], NEW);
  const status = fold([member('node-1', [OLD, NEW], NEW, toMembers, toOthers), member('node-2', [OLD, NEW], OLD)], []);
  assert.deepEqual(reasons(statusOf(status, NEW).switch), ['node-1 does not trust it as profile 1']);
  assert.equal(statusOf(status, OLD).trustedByProfiles, 1);
  assert.equal(statusOf(status, FOREIGN).trustedByProfiles, 1);
  assert.deepEqual(reasons(statusOf(status, FOREIGN).drop), []);
});

test('a certificate that two roots vouch for holds back neither, as long as all trust the other', () => {
  const renewed = (nodeName: string, roots: readonly CaRoot[]): CaState => ({
    nodeName,
    usages: ['server', 'client'].map(usage => use(usage, roots, ...roots)),
    addressesRedacted: false,
  });
  const all = fold([renewed('node-1', [OLD, NEW]), renewed('node-2', [OLD, NEW])], []);
  assert.deepEqual(reasons(statusOf(all, OLD).drop), []);
  const some = fold([renewed('node-1', [OLD, NEW]), member('node-2', [OLD], OLD)], []);
  assert.deepEqual(reasons(statusOf(some, OLD).drop), [
    'node-1 presents a certificate of it as server, client',
    'node-2 presents a certificate of it as server, client',
  ]);
});

test('a certificate of an unknown root may be of any: nothing is dropped', () => {
  const odd: CaState = {
    nodeName: 'node-2',
    usages: [use('server', [OLD, NEW], NEW), use('client', [OLD, NEW])],
    addressesRedacted: false,
  };
  const status = fold([member('node-1', [OLD, NEW], NEW), odd], []);
  assert.deepEqual(reasons(statusOf(status, OLD).drop), [
    'node-2 presents a certificate of a root that it does not know as client',
  ]);
});

test('a member without credentials can verify nobody, and presents nothing', () => {
  const plain: CaState = { nodeName: 'node-2', usages: [], addressesRedacted: false };
  const status = fold([member('node-1', [OLD, NEW], NEW), plain], []);
  assert.deepEqual(reasons(statusOf(status, NEW).switch), ['node-2 has no credentials']);
  assert.deepEqual(reasons(statusOf(status, OLD).drop), []);
  assert.deepEqual(fold([plain], []).roots, []);
});

test('roots of one subject are two, the one that expires first at the top', () => {
  const { roots } = fold([member('node-2', [NEW, OLD], OLD)], []);
  assert.deepEqual(
    roots.map(({ subject, fingerprintSha256 }) => [subject, fingerprintSha256]),
    [
      [OLD.subject, OLD.fingerprintSha256],
      [NEW.subject, NEW.fingerprintSha256],
    ],
  );
});

test('what a root is called and when it ends is taken from our own, and from a member only where we have it not', () => {
  const own = member('node-2', [OLD, NEW], OLD);
  const swapped = [
    { ...OLD, subject: 'CN=new CA', notAfterMs: 9_000 },
    { ...NEW, subject: 'CN=old CA', notAfterMs: 1 },
  ];
  const silent = { ...FOREIGN, subject: '' };
  const { roots } = foldCaStates(
    own,
    [member('node-1', [...swapped, silent], OLD), member('node-3', [FOREIGN], OLD)],
    [],
  );
  assert.deepEqual(
    roots.map(({ subject, fingerprintSha256, notAfterMs }) => ({ subject, fingerprintSha256, notAfterMs })),
    [OLD, NEW, FOREIGN],
  );
});
