import type { Caller, Role } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { isOfMessageService } from '../rpc/message-path.ts';

/** Who may call a group of methods. */
export interface BuiltInRule {
  /** What stands in a decision. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** Whether `anonymous` counts in mode strict too. */
  readonly anonymousInStrict: boolean;
}

const PUBLIC = rule('public', ['peer', 'admin', 'observer', 'local', 'anonymous'], true);
const READING = rule('reading', ['peer', 'admin', 'observer', 'local', 'anonymous'], true);
/** What is for operators' eyes alone, and changes nothing. */
const PRIVATE_READING = rule('private-reading', ['admin', 'observer', 'local']);
const CHANGING = rule('changing', ['admin', 'local']);
const FABRIC = rule('fabric', ['peer', 'anonymous']);
/** Services of the application, and messages of every kind, where no policy file says more. */
const APPLICATION = rule('application', ['peer', 'anonymous']);

/** Services every node has, by service or by method; a method's own entry wins. The documented table of roles. */
export const BUILT_IN_RULES: ReadonlyMap<string, BuiltInRule> = new Map([
  ['grpc.health.v1.Health', PUBLIC],
  ['grpc.reflection.v1.ServerReflection', PUBLIC],
  ['grpc.reflection.v1alpha.ServerReflection', PUBLIC],
  ['selvedge.fabric.v1.Fabric', FABRIC],
  ['selvedge.control.v1.NodeControl/GetStatus', READING],
  ['selvedge.control.v1.NodeControl/ListConnections', READING],
  ['selvedge.control.v1.NodeControl/GetTlsState', READING],
  ['selvedge.control.v1.NodeControl/GetCaState', READING],
  ['selvedge.control.v1.NodeControl/CheckMode', READING],
  ['selvedge.control.v1.NodeControl/GetShadowReport', PRIVATE_READING],
  ['selvedge.control.v1.NodeControl/Explain', PRIVATE_READING],
  ['selvedge.control.v1.NodeControl/ReloadTls', CHANGING],
  ['selvedge.control.v1.NodeControl/Drain', CHANGING],
  ['selvedge.control.v1.ClusterControl/GetClusterStatus', READING],
  ['selvedge.control.v1.ClusterControl/ListNodes', READING],
  ['selvedge.control.v1.ClusterControl/GetCaStatus', READING],
  ['selvedge.control.v1.ClusterControl/Preflight', READING],
  ['selvedge.control.v1.ClusterControl/AddNode', CHANGING],
  ['selvedge.control.v1.ClusterControl/RemoveNode', CHANGING],
  ['selvedge.control.v1.ClusterControl/DrainNode', CHANGING],
  ['selvedge.control.v1.ClusterControl/TerminateNode', CHANGING],
]);

export const BUILT_IN_POLICY = 'built-in';

/**
 * Whether a caller may call a method by its roles alone. Pure: no clock, no sockets, no certificates.
 * @param methodPath `/package.Service/Method`, as on the wire.
 * @param strict whether the node's mode is strict, in which anonymous callers reach health, reflection and reading
 * control methods only.
 */
export function decideByRole(caller: Pick<Caller, 'roles'>, methodPath: string, strict: boolean): Decision {
  const { name, roles, anonymousInStrict } = builtInRuleOf(methodPath);
  const counts = (role: Role): boolean => role !== 'anonymous' || anonymousInStrict || !strict;
  const allowed = roles.some(role => caller.roles.has(role) && counts(role));
  return { allowed, policy: BUILT_IN_POLICY, rule: name };
}

/**
 * Whether a method is one of ours: fabric streams, control, health, reflection. All others, and messages, are the
 * application's.
 */
export function isOwnMethod(methodPath: string): boolean {
  return builtInRuleOf(methodPath) !== APPLICATION;
}

/** Whether a method of ours changes the node or the cluster; whoever calls it leaves a record in the audit trail. */
export function isChanging(methodPath: string): boolean {
  // Asked of every call that is allowed.
  if (!methodPath.startsWith('/selvedge.') || isOfMessageService(methodPath)) return false;
  return builtInRuleOf(methodPath) === CHANGING;
}

/** The rule of the table that a method falls under. */
export function builtInRuleOf(methodPath: string): BuiltInRule {
  if (isOfMessageService(methodPath)) return APPLICATION;
  const method = methodPath.slice(1);
  const service = method.slice(0, method.lastIndexOf('/'));
  const found = BUILT_IN_RULES.get(method) ?? BUILT_IN_RULES.get(service);
  if (found !== undefined) return found;
  // One of ours without a rule: a method that was added and forgotten is closed, not open.
  return service.startsWith('selvedge.') ? CHANGING : APPLICATION;
}

function rule(name: string, roles: readonly Role[], anonymousInStrict = false): BuiltInRule {
  return { name, roles, anonymousInStrict };
}

/** Whether a caller sees names and addresses of others. */
export function seesTopology(caller: Pick<Caller, 'roles'>): boolean {
  return caller.roles.has('admin') || caller.roles.has('observer') || caller.roles.has('local');
}
