import { setTimeout as wait } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import { type ApplicationService, callerOf, type Messages } from '../../src/index.ts';
import { deliveryId, type JournalWriter, numberOf, type ProcessName } from './journal.ts';
import { decodeMessage, encodeAnswer } from './payload.ts';

/** Kinds of the messages that agents take. */
export const REQUEST = 'faults.request';
export const NOTICE = 'faults.notice';
export const NEWS = 'faults.news';

/** How long every fifth answer takes: so there are always messages that were received and not answered. */
const SLOW_ANSWER_MS = 200;

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
        void answerTo(id, self).then(answer => reply(null, answer));
      },
    },
  };
}

/** The same for requests and one-way messages. @param name of the node. */
export function receiveMessages(
  messages: Messages,
  name: string,
  journal: JournalWriter,
  self: Promise<ProcessName>,
): void {
  messages.handle(REQUEST, ({ payload, from, priority }) => {
    const id = decodeMessage(payload);
    journal.write({ what: 'received', id, from, way: 'request', priority });
    return answerTo(id, self);
  });
  messages.handle(NOTICE, ({ payload, from, priority }) =>
    journal.write({ what: 'received', id: decodeMessage(payload), from, way: 'send', priority }),
  );
  messages.handle(NEWS, ({ payload, from, priority }) => {
    const id = deliveryId(decodeMessage(payload), name);
    journal.write({ what: 'received', id, from, way: 'publish', priority });
  });
}

async function answerTo(id: string, self: Promise<ProcessName>): Promise<Buffer> {
  if (numberOf(id) % 5 === 0) await wait(SLOW_ANSWER_MS);
  return encodeAnswer(id, await self);
}
