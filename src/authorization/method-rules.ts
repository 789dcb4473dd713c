import type { Caller, Role } from '../rpc/caller.ts';

/** Who may call a group of methods. `anonymous` counts only while the mode is not strict. */
type Rule = readonly Role[];

const EVERYBODY: Rule = ['peer', 'admin', 'observer', 'local', 'anonymous'];
/** Fabric streams and services of applications. */
const PEERS: Rule = ['peer', 'anonymous'];
const CHANGING: Rule = ['admin', 'local'];

/** Services every node has, by service or by method; a method's own entry wins. The documented table of roles. */
export const BUILT_IN_RULES: ReadonlyMap<string, readonly Role[]> = new Map([
  ['grpc.health.v1.Health', EVERYBODY],
  ['grpc.reflection.v1.ServerReflection', EVERYBODY],
  ['grpc.reflection.v1alpha.ServerReflection', EVERYBODY],
  ['selvedge.fabric.v1.Fabric', PEERS],
  ['selvedge.control.v1.NodeControl/GetStatus', EVERYBODY],
  ['selvedge.control.v1.NodeControl/ListConnections', EVERYBODY],
  ['selvedge.control.v1.NodeControl/GetTlsState', EVERYBODY],
  ['selvedge.control.v1.NodeControl/GetCaState', EVERYBODY],
  ['selvedge.control.v1.NodeControl/CheckMode', EVERYBODY],
  ['selvedge.control.v1.NodeControl/ReloadTls', CHANGING],
  ['selvedge.control.v1.NodeControl/Drain', CHANGING],
  ['selvedge.control.v1.ClusterControl/GetClusterStatus', EVERYBODY],
  ['selvedge.control.v1.ClusterControl/ListNodes', EVERYBODY],
  ['selvedge.control.v1.ClusterControl/GetCaStatus', EVERYBODY],
  ['selvedge.control.v1.ClusterControl/Preflight', EVERYBODY],
]);

/**
 * Whether a caller may call a method. Pure: no clock, no sockets, no certificates.
 * @param methodPath `/package.Service/Method`, as on the wire.
 * @param strict whether the node's mode is strict, in which anonymous callers reach health and reading control methods only.
 */
export function mayCall(caller: Pick<Caller, 'roles'>, methodPath: string, strict: boolean): boolean {
  const rule = ruleOf(methodPath);
  for (const role of caller.roles) {
    if (!rule.includes(role)) continue;
    if (role === 'anonymous' && strict && rule === PEERS) continue;
    return true;
  }
  return false;
}

function ruleOf(methodPath: string): Rule {
  const method = methodPath.slice(1);
  const service = method.slice(0, method.lastIndexOf('/'));
  const rule = BUILT_IN_RULES.get(method) ?? BUILT_IN_RULES.get(service);
  if (rule !== undefined) return rule;
  // One of ours without a rule: a method that was added and forgotten is closed, not open.
  return service.startsWith('selvedge.') ? CHANGING : PEERS;
}

/** Whether a caller sees names and addresses of others. */
export function seesTopology(caller: Pick<Caller, 'roles'>): boolean {
  return caller.roles.has('admin') || caller.roles.has('observer') || caller.roles.has('local');
}
