import type * as grpc from '@grpc/grpc-js';

/** A service as `Server.addService` takes it. */
export interface Service {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

/** A unary method with its handler. */
export interface UnaryMethod {
  /** As grpc-js hands it to interceptors. */
  readonly descriptor: grpc.ServerMethodDefinition<unknown, unknown>;
  readonly handle: grpc.handleUnaryCall<unknown, unknown>;
}

/** The unary methods that have a handler, by path. Handlers are found as `Server.addService` finds them. */
export function unaryMethodsOf(services: readonly Service[]): ReadonlyMap<string, UnaryMethod> {
  const methods = new Map<string, UnaryMethod>();
  for (const { definition, implementation } of services) {
    for (const [name, method] of Object.entries(definition)) {
      const { path, requestStream, responseStream, requestDeserialize, responseSerialize, originalName } = method;
      const handler = implementation[name] ?? (originalName === undefined ? undefined : implementation[originalName]);
      if (requestStream || responseStream || handler === undefined) continue;
      methods.set(path, {
        descriptor: { path, requestStream, responseStream, requestDeserialize, responseSerialize },
        // The definition says that it is unary, which its type does not.
        handle: (handler as grpc.handleUnaryCall<unknown, unknown>).bind(implementation),
      });
    }
  }
  return methods;
}
