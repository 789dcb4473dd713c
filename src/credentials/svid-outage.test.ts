import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { outageOf } from './svid-outage.ts';

test('an agent that cannot be reached is away for what the system says, without words of gRPC', () => {
  const cause = new Error('connect ENOENT /run/spire/sockets/agent.sock');
  const details = `No connection established. Last error: ${cause}. Resolution note: `;
  assert.deepEqual(outageOf({ code: grpc.status.UNAVAILABLE, details }), {
    kind: 'away',
    problem: 'the agent is away (UNAVAILABLE: connect ENOENT /run/spire/sockets/agent.sock)',
  });
});
