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

/** Verifying signatures costs a millisecond or so; a node that renews every second asks no more than this. */
const QUESTIONS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

export interface AdmissionExchangeParts {
  /** False: it was left out, as the peer does not read. */
  readonly send: (frame: Frame) => boolean;
  readonly judge: (question: AdmissionQuestion) => AdmissionAnswer;
  /** Milliseconds that only grow. Default: those of the process. */
  readonly clock?: () => number;
}

/**
 * The questions and answers of one stream, in both directions.
 *
 * E1. Each question is settled exactly once: by its answer, at its deadline, or when the stream ends.
 * E2. At most {@link QUESTIONS_PER_MINUTE} questions of the peer are judged in a minute; the others get an answer that
 *     says nothing.
 */
export class AdmissionExchange {
  readonly #parts: AdmissionExchangeParts;
  readonly #clock: () => number;
  readonly #asked = new Map<number, (answer: AdmissionAnswer | undefined) => void>();
  #lastId = 0;
  #minuteBegan = Number.NEGATIVE_INFINITY;
  #judged = 0;

  constructor(parts: AdmissionExchangeParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? (() => performance.now());
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
    const answer = this.#mayJudge() ? this.#parts.judge(question) : ({ judged: false } as const);
    this.#parts.send({ admissionAnswer: answerToWire(id, answer) });
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

  #mayJudge(): boolean {
    const now = this.#clock();
    if (now - this.#minuteBegan >= MINUTE_MS) {
      this.#minuteBegan = now;
      this.#judged = 0;
    }
    this.#judged += 1;
    return this.#judged <= QUESTIONS_PER_MINUTE;
  }
}
