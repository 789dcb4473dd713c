import type * as grpc from '@grpc/grpc-js';
import { type ApplicationService, callerOf } from '../../src/index.ts';
import type { JournalWriter, ProcessName } from './journal.ts';
import type { Messages } from './messages-api.ts';
import { decodeMessage, encodeAnswer } from './payload.ts';

/** Kinds of the messages that agents take. */
export const REQUEST = 'faults.request';
export const NOTICE = 'faults.notice';

/** The unary method that agents serve. */
export const TAKE: grpc.MethodDefinition<Buffer, Buffer> = {
  path: '/test.Faults/Take',
  requestStream: false,
  responseStream: false,
  requestSerialize: value => value,
  requestDeserialize: value => value,
  responseSerialize: value => value,
  responseDeserialize: value => value,
};

/**
 * Journals what comes in, and then answers who received it.
 * @param self resolves when the node has started; nothing is answered before.
 */
export function callReceiver(journal: JournalWriter, self: Promise<ProcessName>): ApplicationService {
  return {
    definition: { Take: TAKE },
    implementation: {
      Take: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
        const [uri = ''] = callerOf(call).identity?.uris ?? [];
        const id = decodeMessage(call.request);
        const from = uri.slice(uri.lastIndexOf('/') + 1);
        journal.write({ what: 'received', id, from, way: 'call', priority: undefined });
        void self.then(me => reply(null, encodeAnswer(id, me)));
      },
    },
  };
}

/** The same for requests and one-way messages. */
export function receiveMessages(messages: Messages, journal: JournalWriter, self: Promise<ProcessName>): void {
  messages.handle(REQUEST, ({ payload, from, priority }) => {
    const id = decodeMessage(payload);
    journal.write({ what: 'received', id, from, way: 'request', priority });
    return self.then(me => encodeAnswer(id, me));
  });
  messages.handle(NOTICE, async ({ payload, from, priority }) => {
    journal.write({ what: 'received', id: decodeMessage(payload), from, way: 'send', priority });
    return undefined;
  });
}
