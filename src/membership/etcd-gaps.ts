import type { EtcdClient, EtcdWrite } from '../rpc/etcd-client.ts';
import { etcdFailureOf } from '../rpc/etcd-failure.ts';
import { etcdKey } from './etcd-keys.ts';

/** No node bears it: a node name holds no `~`. */
const NOBODY = '~guard~';

/** What etcd's own access control does not refuse though it should. */
export interface EtcdGap {
  /**
   * `grant`: this user may write the key. `nested`: it may not, but etcd writes it in a transaction within a transaction
   * (GHSA-rfx7-8w68-q57q).
   */
  readonly kind: 'grant' | 'nested';
  readonly key: string;
}

export interface EtcdGapParts {
  readonly client: Pick<EtcdClient, 'transact'>;
  readonly prefix: string;
  readonly nodeName: string;
  /** Another member, where one is known. */
  readonly otherName: () => string | undefined;
}

/**
 * A key by which this node could register, move or remove another one, or hold its name; undefined where etcd refuses all that
 * is tried. Keys that begin like our own are tried, and those of another member: what was granted by prefix or range reaches
 * them. `members/` counts only where it is written round the grants: who may write it by a plain put is an operator. Writes
 * nothing: the transactions hold under a condition that is never true, and etcd asks for the permissions of all they might do.
 * @throws as a call of the client, where etcd does not answer.
 */
export async function findEtcdGap({ client, prefix, nodeName, otherName }: EtcdGapParts): Promise<EtcdGap | undefined> {
  const condition = { key: etcdKey(prefix, 'holders', nodeName), never: true } as const;
  const mayDo = async (write: EtcdWrite): Promise<boolean> => {
    try {
      await client.transact([condition], [write]);
      return true;
    } catch (error) {
      if (etcdFailureOf(error).kind === 'denied') return false;
      throw error;
    }
  };
  const put = (key: string) => ({ kind: 'put', key, value: '' }) as const;
  const other = otherName();
  const names = [NOBODY, `${nodeName}${NOBODY}`, ...(other === undefined ? [] : [other])];
  for (const key of (['nodes', 'holders'] as const).flatMap(kind => names.map(name => etcdKey(prefix, kind, name))))
    if (await mayDo(put(key))) return { kind: 'grant', key };
  for (const key of (['nodes', 'members'] as const).map(kind => etcdKey(prefix, kind, NOBODY))) {
    const isNested = await mayDo({ kind: 'nested', writes: [put(key)] });
    if (isNested && !(await mayDo(put(key)))) return { kind: 'nested', key };
  }
  return undefined;
}
