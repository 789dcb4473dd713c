/** That etcd's own access control (RBAC) refuses to write a key, and what to do. */
export function notGranted(user: string | undefined, key: string): string {
  return `etcd does not let ${nameOf(user)} write ${key}: grant that user a role that may (etcdctl role grant-permission)`;
}

/** As {@link notGranted}, of reading all keys of the cluster. */
export function notReadable(user: string | undefined, prefix: string): string {
  return `etcd does not let ${nameOf(user)} read ${prefix}: grant that user a role that may (etcdctl role grant-permission --prefix)`;
}

/** That it does not refuse what it should. */
export function unguarded(user: string | undefined, key: string): string {
  return `etcd would let ${nameOf(user)} write ${key}, so that any node could register or move another one`;
}

function nameOf(user: string | undefined): string {
  return user === undefined ? 'this node, which shows no certificate with a name,' : `the user "${user}"`;
}
