import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import type { FabricNodeOptions } from './node-options.ts';
import { checkLiveOnly, resolveOrThrow } from './reload-options.ts';

const OPTIONS: FabricNodeOptions = {
  clusterName: 'dev',
  nodeName: 'node-1',
  dataDir: '/var/lib/node-1',
  labels: { role: 'worker' },
  networking: { bindAddress: '127.0.0.1:0', drainTimeoutMs: 1_000, tls: { mode: 'plain' } },
  membership: { source: 'file', membersFile: '/etc/members.toml' },
  observability: { bindAddress: '127.0.0.1:0' },
};

test('equal options are no change, however they were written', () => {
  checkLiveOnly(OPTIONS, structuredClone(OPTIONS));
  checkLiveOnly(OPTIONS, { ...OPTIONS, labels: { role: 'worker' } });
});

const LIVE: Readonly<Record<string, FabricNodeOptions>> = {
  'networking.tls': { ...OPTIONS, networking: { ...OPTIONS.networking, tls: { mode: 'optional' } } },
  authorization: { ...OPTIONS, authorization: { adminSubjectNames: ['cn:ann'] } },
  membership: { ...OPTIONS, membership: { source: 'file', membersFile: '/etc/other.toml' } },
  logLevel: { ...OPTIONS, logLevel: 'debug' },
};
for (const [key, next] of Object.entries(LIVE)) {
  test(`${key} can change while running`, () => checkLiveOnly(OPTIONS, next));
}

const AT_START: Readonly<Record<string, FabricNodeOptions>> = {
  clusterName: { ...OPTIONS, clusterName: 'prod' },
  nodeName: { ...OPTIONS, nodeName: 'node-2' },
  dataDir: { ...OPTIONS, dataDir: '/var/lib/node-2' },
  adminSocket: { ...OPTIONS, adminSocket: '/run/admin.sock' },
  labels: { ...OPTIONS, labels: { role: 'edge' } },
  'networking.bindAddress': { ...OPTIONS, networking: { ...OPTIONS.networking, bindAddress: '127.0.0.1:1' } },
  'networking.drainTimeoutMs': { ...OPTIONS, networking: { ...OPTIONS.networking, drainTimeoutMs: 2_000 } },
  'networking.maxConnections': { ...OPTIONS, networking: { ...OPTIONS.networking, maxConnections: 5 } },
  observability: { ...OPTIONS, observability: { bindAddress: '127.0.0.1:1' } },
};
for (const [key, next] of Object.entries(AT_START)) {
  test(`a change of ${key}, there and back, is rejected as restart_required and named`, () => {
    assert.deepEqual(keysOf(OPTIONS, next), [key]);
    assert.deepEqual(keysOf(next, OPTIONS), [key]);
  });
}

test('all keys that would need a restart are named at once', () => {
  const next = { ...OPTIONS, clusterName: 'prod', logLevel: 'debug' as const, networking: { tls: {} } };
  assert.deepEqual(keysOf(OPTIONS, next).toSorted(), [
    'clusterName',
    'networking.bindAddress',
    'networking.drainTimeoutMs',
  ]);
});

test('every mistake in options is reported at once, with its key', () => {
  assert.throws(
    () => resolveOrThrow({ ...OPTIONS, nodeName: 'Node 1', networking: { bindAddress: 'nowhere::' } }),
    error => {
      assert.ok(isSelvedgeError(error, 'config_invalid'));
      const keys = error.facts.problems.map(({ key }) => key);
      assert.deepEqual(keys.toSorted(), ['networking.bindAddress', 'nodeName']);
      assert.ok(error.facts.problems.every(({ place }) => place === 'options'));
      for (const { problem } of error.facts.problems) assert.ok(error.message.includes(problem));
      return true;
    },
  );
});

test('good options become settings', () => {
  const { settings } = resolveOrThrow({ clusterName: 'dev', nodeName: 'node-1', dataDir: '/var/lib/node-1' });
  assert.equal(settings.mode, 'plain');
});

function keysOf(previous: FabricNodeOptions, next: FabricNodeOptions): readonly string[] {
  try {
    checkLiveOnly(previous, next);
  } catch (error) {
    assert.ok(isSelvedgeError(error, 'restart_required'));
    for (const key of error.facts.keys) assert.ok(error.message.includes(key));
    return error.facts.keys;
  }
  return [];
}
