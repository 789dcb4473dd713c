import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition, PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, service as healthDefinition } from 'grpc-health-check';
import { packageDefinition } from '../rpc/service.ts';

/** Paths of the methods of {@link addStandardServices}. */
export const standardMethods: readonly string[] = [
  ...Object.values(healthDefinition).map(({ path }) => path),
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];

export interface StandardServices {
  /** Told to `grpc.health.v1` clients, those that watch included. */
  setServing(serving: boolean): void;
}

/**
 * Adds `grpc.health.v1` and server reflection (v1 and v1alpha). Reflection shows our own services, health, and every
 * service of the application whose definition knows its descriptors, as those of `@grpc/proto-loader` do.
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
  const described = [healthDefinition, ...Object.values(applications)].flatMap(messageTypesOf);
  const types = Object.fromEntries(described.map((type, index) => [`${index}`, type]));
  new ReflectionService({ ...packageDefinition, ...types }).addToServer(server);
  return {
    setServing: serving => {
      for (const name of ['', ...names]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
  };
}

/** Reflection finds descriptors at message types alone, so those of a service are handed to it in the service's place. */
function messageTypesOf(definition: grpc.ServiceDefinition): readonly MessageTypeDefinition<object, object>[] {
  return Object.values(definition).flatMap((method: object) =>
    'requestType' in method && isMessageType(method.requestType) ? [method.requestType] : [],
  );
}

function isMessageType(type: unknown): type is MessageTypeDefinition<object, object> {
  return typeof type === 'object' && type !== null && 'fileDescriptorProtos' in type;
}
