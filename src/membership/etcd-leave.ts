/** When a registration goes by itself: never, with a clean drain, or also with its lease. */
export const ETCD_LEAVES = ['when-removed', 'when-drained', 'when-lost'] as const;
export type EtcdLeave = (typeof ETCD_LEAVES)[number];
