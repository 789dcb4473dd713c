import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { service as healthDefinition } from 'grpc-health-check';
import {
  type ClusterControlMethods,
  clusterControl,
  type NodeControlMethods,
  nodeControl,
} from '../../src/rpc/control-messages.ts';
import { makeDirectory } from './programs.ts';

type Answers<Methods extends Record<string, { response: object }>> = {
  readonly [Name in keyof Methods]?: Methods[Name]['response'] | Partial<grpc.ServiceError>;
};

/** What a fake node says to each method; one that is left out is UNIMPLEMENTED. */
export type FakeAnswers = Answers<NodeControlMethods> &
  Answers<ClusterControlMethods> & { readonly Check?: { readonly status: string } };

export interface FakeNode {
  /** `unix:...` */
  readonly address: string;
  /** `Method` and request of each call, in order. */
  readonly calls: readonly (readonly [string, object])[];
}

/** A server on a unix socket that answers the control services as it was told. */
export async function startFakeNode(t: TestContext, answers: FakeAnswers): Promise<FakeNode> {
  const calls: [string, object][] = [];
  const server = new grpc.Server();
  const add = (definition: grpc.ServiceDefinition) =>
    server.addService(definition, handlersOf(definition, answers, calls));
  add(nodeControl.definition);
  add(clusterControl.definition);
  add(healthDefinition as grpc.ServiceDefinition);
  const address = `unix:${join(await makeDirectory(t), 'admin.sock')}`;
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), error => (error ? reject(error) : resolve()));
  });
  t.after(() => server.forceShutdown());
  return { address, calls };
}

function handlersOf(
  definition: grpc.ServiceDefinition,
  answers: FakeAnswers,
  calls: [string, object][],
): grpc.UntypedServiceImplementation {
  const known: ReadonlyMap<string, object> = new Map(Object.entries(answers));
  const handlers: grpc.UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    if (method.responseStream) continue;
    const handle: grpc.handleUnaryCall<object, object> = (call, reply) => {
      calls.push([name, call.request]);
      const answer = known.get(name);
      if (answer === undefined) reply({ code: grpc.status.UNIMPLEMENTED });
      else if (isFailure(answer)) reply(answer);
      else reply(null, answer);
    };
    handlers[name] = handle;
  }
  return handlers;
}

function isFailure(answer: object): answer is Partial<grpc.StatusObject> {
  return 'code' in answer;
}
