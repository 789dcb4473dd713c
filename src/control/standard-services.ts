import type * as grpc from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { packageDefinition } from '../rpc/service.ts';

export interface StandardServices {
  /** Told to `grpc.health.v1` clients, those that watch included. */
  setServing(serving: boolean): void;
}

/**
 * Adds `grpc.health.v1` and server reflection (v1 and v1alpha). Reflection shows every service whose definition knows
 * its descriptors, as those of `@grpc/proto-loader` do.
 * @param applications services of the application, by full name.
 */
export function addStandardServices(
  server: grpc.Server,
  applications: Readonly<Record<string, grpc.ServiceDefinition>>,
): StandardServices {
  const definitions: PackageDefinition = Object.assign({}, packageDefinition, applications);
  const names = Object.keys(definitions).filter(
    name => definitions[name] !== undefined && !('format' in definitions[name]),
  );
  const health = new HealthImplementation({
    '': 'NOT_SERVING',
    ...Object.fromEntries(names.map(name => [name, 'NOT_SERVING'])),
  });
  health.addToServer(server);
  new ReflectionService(definitions).addToServer(server);
  return {
    setServing: serving => {
      for (const name of ['', ...names]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
  };
}
