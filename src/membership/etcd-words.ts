import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { EtcdGap } from './etcd-gaps.ts';

/** That etcd's own access control (RBAC) refuses to write a key, and what to do. */
export function notGranted(user: string | undefined, key: string): string {
  return `etcd does not let ${nameOf(user)} write ${key}: grant that user a role that may (etcdctl role grant-permission)`;
}

/** As {@link notGranted}, of reading all keys of the cluster. */
export function notReadable(user: string | undefined, prefix: string): string {
  return `etcd does not let ${nameOf(user)} read ${prefix}: grant that user a role that may (etcdctl role grant-permission --prefix)`;
}

/** That it does not refuse what it should. */
export function unguarded(user: string | undefined, { kind, key }: EtcdGap): string {
  return kind === 'grant'
    ? `etcd would let ${nameOf(user)} write ${key}, so that any node could register or move another one`
    : `this etcd does not apply its users inside nested transactions (GHSA-rfx7-8w68-q57q), and would let ${nameOf(user)} write ${key} in one, so that any node could register, move, remove or terminate another one; etcd 3.4.42, 3.5.28, 3.6.9 and newer do`;
}

/** That nobody knows who the members are. */
export function unavailable(message: string, problem: string): SelvedgeError<'membership_unavailable'> {
  return new SelvedgeError('membership_unavailable', message, { source: 'etcd', problem });
}

function nameOf(user: string | undefined): string {
  return user === undefined ? 'this node, which shows no certificate with a name,' : `the user "${user}"`;
}
