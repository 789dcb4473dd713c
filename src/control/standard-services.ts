import * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition, PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, service as healthDefinition } from 'grpc-health-check';
import { packageDefinition } from '../rpc/service.ts';
import { atPaceOfCaller, servicesOf } from './bounded-service.ts';

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
  for (const { definition, implementation } of servicesOf(to => health.addToServer(to)))
    server.addService(definition, forKnownServices(implementation, new Set(['', ...names])));
  const described = [healthDefinition, ...Object.values(applications)].flatMap(messageTypesOf);
  const types = Object.fromEntries(described.map((type, index) => [`${index}`, type]));
  const reflection = new ReflectionService({ ...packageDefinition, ...types });
  for (const { definition, implementation } of servicesOf(to => reflection.addToServer(to))) {
    const handlers = Object.entries(implementation).map(([name, handle]) => [
      name,
      atPaceOfCaller(handle as grpc.handleBidiStreamingCall<object, object>),
    ]);
    server.addService(definition, Object.fromEntries(handlers));
  }
  return {
    setServing: serving => {
      for (const name of ['', ...names]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
  };
}

/** UTF-16 units of the name of a service. */
const MAX_SERVICE_NAME = 512;

interface HealthRequest {
  readonly service: string;
}

/**
 * Answers about services that are not there without the implementation, which would keep each name that somebody watched
 * for ever, and repeat it in the status. None appears later, so there is nothing to watch for.
 */
function forKnownServices(
  { check, watch, ...others }: grpc.UntypedServiceImplementation,
  known: ReadonlySet<string>,
): grpc.UntypedServiceImplementation {
  const handleCheck = check as grpc.handleUnaryCall<HealthRequest, object>;
  const handleWatch = watch as grpc.handleServerStreamingCall<HealthRequest, object>;
  return {
    ...others,
    check: ((call, reply) => {
      if (known.has(call.request.service)) return handleCheck(call, reply);
      reply({ code: grpc.status.NOT_FOUND, details: 'there is no such service' });
    }) satisfies grpc.handleUnaryCall<HealthRequest, object>,
    watch: (call => {
      const { service } = call.request;
      if (known.has(service)) return handleWatch(call);
      if (service.length > MAX_SERVICE_NAME)
        return void call.emit('error', { code: grpc.status.INVALID_ARGUMENT, details: 'this is no name of a service' });
      call.write({ status: 'SERVICE_UNKNOWN' });
    }) satisfies grpc.handleServerStreamingCall<HealthRequest, object>,
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
