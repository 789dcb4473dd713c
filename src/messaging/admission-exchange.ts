import {
  type AdmissionAnswer,
  type AdmissionQuestion,
  answerToWire,
  parseAnswer,
  parseQuestion,
  questionToWire,
} from './admission-question.ts';
import type { Frame } from './frame.ts';
import { malformedFrame } from './introduction.ts';

export interface AdmissionExchangeParts {
  /** False: it was left out, as the peer does not read. */
  readonly send: (frame: Frame) => boolean;
  /** Whether {@link send} would send now. */
  readonly canSend: () => boolean;
  readonly judge: (question: AdmissionQuestion) => AdmissionAnswer;
}

/**
 * The questions and answers of one stream, in both directions.
 *
 * E1. Each question is settled exactly once: by its answer, at its deadline, or when the stream ends.
 * E2. A question whose answer the peer would not read is not judged.
 */
export class AdmissionExchange {
  readonly #parts: AdmissionExchangeParts;
  readonly #asked = new Map<number, (answer: AdmissionAnswer | undefined) => void>();
  #lastId = 0;

  constructor(parts: AdmissionExchangeParts) {
    this.#parts = parts;
  }

  /** Undefined: no answer came. */
  ask(question: AdmissionQuestion, timeoutMs: number): Promise<AdmissionAnswer | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise(resolve => {
      // A process that was itself stalled first reads what waits for it: two turns of the event loop.
      const giveUp = () => setImmediate(() => setImmediate(() => this.#settle(id, undefined)));
      const timer = setTimeout(giveUp, timeoutMs);
      this.#asked.set(id, answer => {
        clearTimeout(timer);
        resolve(answer);
      });
      if (!this.#parts.send({ admissionQuestion: questionToWire(id, question) })) this.#settle(id, undefined);
    });
  }

  /** Takes a frame of the peer. @throws refused (`handshake_failed`) for one that is malformed. */
  receive({ admissionQuestion, admissionAnswer }: Frame): void {
    if (admissionAnswer) return this.#settle(admissionAnswer.id, parseAnswer(admissionAnswer));
    if (!admissionQuestion) throw malformedFrame('an empty admission frame');
    const { id } = admissionQuestion;
    const question = parseQuestion(admissionQuestion);
    if (!this.#parts.canSend()) return;
    this.#parts.send({ admissionAnswer: answerToWire(id, this.#parts.judge(question)) });
  }

  /** The stream is over: no answer will come. */
  end(): void {
    for (const id of [...this.#asked.keys()]) this.#settle(id, undefined);
  }

  #settle(id: number, answer: AdmissionAnswer | undefined): void {
    const settle = this.#asked.get(id);
    this.#asked.delete(id);
    settle?.(answer);
  }
}
