import type * as grpc from '@grpc/grpc-js';
import { standardMethods } from '../control/standard-services.ts';
import { packageDefinition } from '../rpc/service.ts';

/**
 * Paths of every method that a node serves, `/package.Service/Method`: ours, health and reflection, and those of the
 * application.
 */
export function servedMethods(applications: readonly grpc.ServiceDefinition[]): readonly string[] {
  const ours = Object.values(packageDefinition).flatMap(definition =>
    'format' in definition ? [] : Object.values(definition).map(({ path }) => path),
  );
  return [...ours, ...standardMethods, ...applications.flatMap(pathsOf)];
}

function pathsOf(definition: grpc.ServiceDefinition): readonly string[] {
  return Object.values(definition).map(({ path }) => path);
}
