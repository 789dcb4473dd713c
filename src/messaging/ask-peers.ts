import type { AdmissionAnswer, AdmissionQuestion } from './admission-question.ts';
import type { PeerStream } from './peer-stream.ts';

/** What a peer that was asked answered; undefined where it did not. */
export interface PeerAnswer {
  readonly node: string;
  readonly answer: AdmissionAnswer | undefined;
}

export interface AskOptions {
  /** Picks whom to ask of those that can be asked, by node name. */
  readonly choose: (nodes: readonly string[]) => readonly string[];
  /** An answer that takes longer does not count, in milliseconds. */
  readonly timeoutMs: number;
}

/** Asks some of the peers at once, each over its own stream. Resolves when the last has answered, or at the deadline. */
export function askPeers(
  streams: readonly Pick<PeerStream, 'node' | 'answersAdmission' | 'askAdmission'>[],
  question: AdmissionQuestion,
  { choose, timeoutMs }: AskOptions,
): Promise<readonly PeerAnswer[]> {
  const able = streams.filter(stream => stream.answersAdmission);
  const chosen = new Set(choose(able.map(({ node }) => node)));
  return Promise.all(
    able
      .filter(({ node }) => chosen.has(node))
      .map(async stream => ({ node: stream.node, answer: await stream.askAdmission(question, timeoutMs) })),
  );
}
