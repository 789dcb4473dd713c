import { isNodeName } from '../identity/node-name.ts';

/** `members`: what operators say of a node. `nodes`: what it says of itself. `holders`: which process has its name. */
export type EtcdKeyKind = 'members' | 'nodes' | 'holders';

/** @param prefix of all keys of a cluster, with a slash at its end. */
export function etcdKey(prefix: string, kind: EtcdKeyKind, nodeName: string): string {
  return `${prefix}${kind}/${nodeName}`;
}

/** Undefined for a key that is none of ours. */
export function parseEtcdKey(
  prefix: string,
  key: string,
): { readonly kind: EtcdKeyKind; readonly name: string } | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const [word, name = '', ...more] = key.slice(prefix.length).split('/');
  const kind = (['members', 'nodes', 'holders'] as const).find(known => known === word);
  return kind === undefined || more.length > 0 || !isNodeName(name) ? undefined : { kind, name };
}
