import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { bindCaller, type Caller, type Role } from '../../src/rpc/caller.ts';
import { listen, PLAINTEXT } from './loopback-node.ts';

/** Who calls, where only the role matters. */
export function callerWith(...roles: readonly Role[]): Caller {
  return {
    connectionId: 1,
    remoteAddress: '127.0.0.1:1',
    security: PLAINTEXT,
    identity: undefined,
    roles: new Set(roles),
    bearer: undefined,
  };
}

/** A client of a loopback server whose every call comes from a caller with this role; closed after the test. */
export async function callAs(
  t: TestContext,
  role: Role,
  addServices: (server: grpc.Server) => void,
): Promise<grpc.Client> {
  const caller = callerWith(role);
  const server = new grpc.Server({
    interceptors: [
      (_method, call) =>
        new grpc.ServerInterceptingCall(call, {
          start: next =>
            next({
              onReceiveMetadata: (metadata, forward) => {
                bindCaller(metadata, caller);
                forward(metadata);
              },
            }),
        }),
    ],
  });
  addServices(server);
  const client = new grpc.Client(`127.0.0.1:${await listen(server)}`, grpc.credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}
