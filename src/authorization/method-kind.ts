import { isOfMessageService } from '../rpc/message-path.ts';

/**
 * Whom a method serves. `public`: health and reflection, for everybody. `control`: for operators. `fabric`: the streams
 * between nodes. `application`: all others, and messages.
 */
export type MethodKind = 'public' | 'control' | 'fabric' | 'application';

const KIND_OF_SERVICE: ReadonlyMap<string, MethodKind> = new Map<string, MethodKind>([
  ['grpc.health.v1.Health', 'public'],
  ['grpc.reflection.v1.ServerReflection', 'public'],
  ['grpc.reflection.v1alpha.ServerReflection', 'public'],
  ['selvedge.fabric.v1.Fabric', 'fabric'],
]);

/** @param methodPath `/package.Service/Method`, as on the wire. What else is ours is for operators. */
export function kindOfMethod(methodPath: string): MethodKind {
  if (isOfMessageService(methodPath)) return 'application';
  const service = methodPath.slice(1, methodPath.lastIndexOf('/'));
  return KIND_OF_SERVICE.get(service) ?? (service.startsWith('selvedge.') ? 'control' : 'application');
}
