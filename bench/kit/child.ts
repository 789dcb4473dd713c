import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/errors/selvedge-error.ts';

/** No command of a child takes longer, however slow the machine is. */
const DEADLINE_MS = 60_000;

type Input<Command> = Command extends (...input: infer I) => unknown ? I : never;
type Output<Command> = Command extends (...input: never[]) => infer O ? Awaited<O> : never;

/** An answer as it comes over the channel between parent and child. */
interface Answer {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: string;
}

/**
 * A process of its own that does what it is told, by name. It ends when it is disposed of, and by itself when its
 * parent is gone.
 */
export class Child<Commands extends object> implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  /** Starts `file`, below `bench/kit`, which calls {@link answerParent}. */
  constructor(file: string) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), {
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    this.#process.on('message', message => {
      const answer = message as Answer;
      this.#waiting.get(answer.id)?.(answer);
    });
    this.#exited = new Promise(resolve => {
      const gone = (error: string) => {
        for (const [id, settle] of this.#waiting) settle({ id, error });
        resolve();
      };
      this.#process.once('error', error => gone(messageOf(error)));
      this.#process.once('exit', (code, signal) => gone(`${file} ended with ${code ?? signal}`));
    });
  }

  /** Runs one command in the child. Rejects with what it says went wrong, when it ends, and after a minute. */
  ask<Name extends keyof Commands & string>(
    name: Name,
    ...input: Input<Commands[Name]>
  ): Promise<Output<Commands[Name]>> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const settle = ({ output, error }: Answer) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (error === undefined) resolve(output as Output<Commands[Name]>);
        else reject(new Error(`${name}: ${error}`));
      };
      const timer = setTimeout(() => settle({ id, error: `no answer within ${DEADLINE_MS} ms` }), DEADLINE_MS);
      this.#waiting.set(id, settle);
      this.#process.send({ id, name, input }, error => {
        if (error !== null) settle({ id, error: messageOf(error) });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: readonly unknown[];
}

/** The child's side of {@link Child}: runs `commands` for the parent until that goes away. */
export function answerParent<Commands extends object>(commands: Commands): void {
  const byName = new Map(Object.entries(commands));
  process.on('message', async message => {
    const { id, name, input } = message as Question;
    try {
      process.send?.({ id, output: await byName.get(name)?.(...input) });
    } catch (error) {
      process.send?.({ id, error: messageOf(error) });
    }
  });
  process.once('disconnect', () => process.exit());
}
