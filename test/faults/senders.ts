import * as grpc from '@grpc/grpc-js';
import { type FabricNode, isSelvedgeError, type Messages, type Priority } from '../../src/index.ts';
import type { Outcome, Way } from './journal.ts';
import { decodeAnswer } from './payload.ts';
import { NEWS, NOTICE, REQUEST, TAKE } from './receiver.ts';

/** One message that is to be sent. */
export interface OutgoingMessage {
  readonly id: string;
  readonly to: string;
  readonly bytes: Buffer;
  readonly priority: Priority;
  readonly timeoutMs: number;
}

/** Sends one message and says how it ended. Rejects only where the answer is not one to it. */
export type Sender = (message: OutgoingMessage) => Promise<Outcome>;

/** Sends one message to all peers and says how it ended for each. */
export type Publisher = (message: Omit<OutgoingMessage, 'to'>) => Promise<ReadonlyMap<string, Outcome>>;

/** The label of all nodes but the sender itself, as the members file has it. */
export const PEER_LABEL = { faults: 'peer' } as const;

/** A sender for each way that leads to one peer. */
export function sendersOf(node: FabricNode, peers: readonly string[]): ReadonlyMap<Way, Sender> {
  return new Map<Way, Sender>([
    ['request', requestSender(node.messages)],
    ['send', noticeSender(node.messages)],
    ['call', callSender(node, peers)],
  ]);
}

export function publisherOf({ messages }: FabricNode): Publisher {
  return async ({ bytes, priority, timeoutMs }) => {
    const deliveries = await messages.publish({ labels: PEER_LABEL }, NEWS, bytes, { priority, timeoutMs });
    return new Map(
      deliveries.map(({ node, error }) => [node, error === undefined ? { kind: 'taken' } : failure(error)]),
    );
  };
}

function callSender(node: FabricNode, peers: readonly string[]): Sender {
  const clients = new Map(peers.map(peer => [peer, node.client(grpc.Client, peer)]));
  return ({ id, to, bytes, timeoutMs }) =>
    new Promise((resolve, reject) => {
      clients
        .get(to)
        ?.makeUnaryRequest(
          TAKE.path,
          TAKE.requestSerialize,
          TAKE.responseDeserialize,
          bytes,
          { deadline: Date.now() + timeoutMs },
          (error, answer) => {
            try {
              if (error === null) resolve({ kind: 'answered', by: decodeAnswer(id, answer ?? Buffer.alloc(0)) });
              else resolve(statusOf(error));
            } catch (problem) {
              reject(problem);
            }
          },
        );
    });
}

function requestSender(messages: Messages): Sender {
  return ({ id, to, bytes, priority, timeoutMs }) =>
    messages
      .request(to, REQUEST, bytes, { priority, timeoutMs })
      .then(answer => ({ kind: 'answered', by: decodeAnswer(id, answer) }), failure);
}

function noticeSender(messages: Messages): Sender {
  return ({ to, bytes, priority, timeoutMs }) =>
    messages.send(to, NOTICE, bytes, { priority, timeoutMs }).then(() => ({ kind: 'taken' }), failure);
}

function statusOf({ code, details }: grpc.ServiceError): Outcome {
  return { kind: 'failed', reason: grpc.status[code], detail: details, safeToRetry: undefined };
}

function failure(error: unknown): Outcome {
  if (isSelvedgeError(error, 'node_closed'))
    return { kind: 'failed', reason: error.code, detail: error.message, safeToRetry: true };
  if (!isSelvedgeError(error, 'message_failed')) throw error;
  const { reason, detail, safeToRetry } = error.facts;
  return { kind: 'failed', reason, detail, safeToRetry };
}
