import * as grpc from '@grpc/grpc-js';
import { PassingCall } from '../listener/passing-call.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';

/** The guard of a stream whose connection is gone: nobody is there, and nothing is taken. */
export const NOBODY: StreamGuard = {
  caller: () => undefined,
  decide: () => ({ allowed: false, policy: 'built-in', rule: '' }),
  interceptor: (_method, call) => new RefusedCall(call),
};

class RefusedCall extends PassingCall {
  override onReceiveMetadata(): void {
    const details = 'the connection of this call is closed';
    this.sendStatus({ code: grpc.status.UNAVAILABLE, details, metadata: null });
  }
}
