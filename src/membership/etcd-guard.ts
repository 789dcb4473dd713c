import type { EtcdClient } from '../rpc/etcd-client.ts';
import { etcdFailureOf } from '../rpc/etcd-failure.ts';
import { etcdKey } from './etcd-keys.ts';

/** No node bears it: a node name holds no `~`. */
const NOBODY = '~guard~';

/**
 * A key by which this node could register, or hold the name of, another node, which etcd's own access control ought to
 * refuse; undefined where it does. Keys that begin like our own are among those that are tried: what was granted with
 * `--prefix` reaches them. Writes nothing: the transaction holds under a condition that is never true, and etcd asks for
 * the permissions of all it might do.
 * @throws as a call of the client, where etcd does not answer.
 */
export async function unguardedKey(
  client: Pick<EtcdClient, 'transact'>,
  prefix: string,
  nodeName: string,
): Promise<string | undefined> {
  const own = etcdKey(prefix, 'holders', nodeName);
  for (const kind of ['nodes', 'holders'] as const)
    for (const name of [NOBODY, `${nodeName}${NOBODY}`]) {
      const key = etcdKey(prefix, kind, name);
      if (await mayWrite(client, own, key)) return key;
    }
  return undefined;
}

async function mayWrite(client: Pick<EtcdClient, 'transact'>, own: string, key: string): Promise<boolean> {
  try {
    await client.transact([{ key: own, never: true }], [{ kind: 'put', key, value: '' }]);
    return true;
  } catch (error) {
    if (etcdFailureOf(error).kind === 'denied') return false;
    throw error;
  }
}
