import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { EtcdClient } from '../rpc/etcd-client.ts';
import { EtcdRegistration } from './etcd-registration.ts';
import type { OwnWord } from './own-word.ts';

test('who leaves in the middle of a registration has left when both are over', async () => {
  const keys = new Map<string, { key: string; value: string; lease: string; modRevision: number }>();
  let revision = 1;
  let lease = 0;
  let held: Promise<void> | undefined;
  const client: Partial<EtcdClient> = {
    grantLease: async () => String(++lease),
    revokeLease: async () => {},
    get: async key => {
      const found = keys.get(key);
      if (key.includes('/nodes/')) await held;
      return found;
    },
    transact: async (conditions, writes) => {
      for (const condition of conditions) {
        const present = keys.get(condition.key);
        const holds =
          'lease' in condition
            ? (present?.lease ?? '0') === condition.lease
            : 'modRevision' in condition && (present?.modRevision ?? 0) === condition.modRevision;
        if (!holds) return false;
      }
      revision += 1;
      for (const write of writes)
        if (write.kind === 'put') keys.set(write.key, { lease: '0', ...write, modRevision: revision });
        else if (write.kind === 'delete') keys.delete(write.key);
      return true;
    },
  };
  const own = new MutableValue<OwnWord>({ generation: 1, addresses: [], labels: {}, zone: undefined, weight: 1 });
  const registration = new EtcdRegistration({
    client: client as EtcdClient,
    prefix: '/x/',
    nodeName: 'a',
    holderId: 'h',
    own,
    isOut: () => false,
    isHeard: () => true,
    isAway: () => false,
    leaseTtlMs: 60_000,
    holdMarginMs: 0,
    endTimeoutMs: 60_000,
    leave: 'when-drained',
    retry: {},
    user: () => undefined,
    onProblem: () => {},
  });
  await registration.take();
  registration.follow();
  let isReading = false;
  let goOn = () => {};
  held = new Promise(resolve => {
    goOn = resolve;
  });
  const { get } = client;
  client.get = async key => {
    isReading ||= key.includes('/nodes/');
    return get?.(key);
  };
  own.set({ ...own.value, weight: 2 });
  await until('it is about to write', () => isReading);
  const leaving = registration.leave();
  const turns = async () => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve));
  };
  await turns();
  goOn();
  await leaving;
  await turns();
  await registration.close();
  assert.deepEqual(
    [...keys].map(([key, { value }]) => [key, JSON.parse(value)]),
    [['/x/nodes/a', { addresses: [], generation: 1, left: true }]],
  );
});
