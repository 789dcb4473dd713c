import { messageOf } from '../errors/selvedge-error.ts';
import type { OptionProblem } from './node-settings.ts';

export type OptionPath = OptionProblem['path'];

/** Longer than this and a timer of Node fires at once. */
const MAX_TIMER_MS = 2_147_483_647;
/** What gRPC counts message bytes with. */
const MAX_COUNT = 2_147_483_647;

/** Collects everything that is wrong, so that it can be said at once. */
export class OptionProblems {
  readonly problems: OptionProblem[] = [];
  readonly warnings: OptionProblem[] = [];

  /** @param others where else the cause stands. */
  add(path: OptionPath, problem: string, remedy = '', others: readonly OptionPath[] = []): void {
    this.problems.push({ path, problem, remedy, others });
  }

  warn(path: OptionPath, problem: string, remedy = ''): void {
    this.warnings.push({ path, problem, remedy, others: [] });
  }

  /** What `parse` makes of `text`; undefined, and a problem, where it throws. */
  parse<Value>(path: OptionPath, text: string, parse: (text: string) => Value): Value | undefined {
    try {
      return parse(text);
    } catch (error) {
      this.add(path, messageOf(error));
      return undefined;
    }
  }

  /** The elements that could be parsed; a problem for each of the others. */
  parseList<Value>(path: OptionPath, texts: readonly string[], parse: (text: string) => Value): Value[] {
    return texts.flatMap((text, index) => this.parse([...path, index], text, parse) ?? []);
  }

  /** A text of one line that is there and not empty. What was given is not repeated: it may be a pasted key. */
  required(path: OptionPath, value: string | undefined, meaning: string): string {
    if (value === undefined) this.add(path, 'This is missing.', `Say ${meaning}.`);
    else if (value.trim() === '') this.add(path, 'This is empty.', `Say ${meaning}.`);
    else if (/\p{Cc}/u.test(value))
      this.add(path, 'This holds a line break or another control character.', `Say ${meaning}.`);
    return value ?? '';
  }

  oneOf<Word extends string>(path: OptionPath, value: Word, words: readonly Word[]): Word | undefined {
    if (words.includes(value)) return value;
    this.add(path, `"${value}" is not a known value.`, `Use ${words.map(word => `"${word}"`).join(', ')}.`);
    return undefined;
  }

  /** A positive duration. */
  durationMs(path: OptionPath, value: number): number {
    if (!(value > 0)) this.add(path, 'A duration must be longer than nothing.', 'Give a positive one.');
    else if (value > MAX_TIMER_MS) this.add(path, 'This is longer than a timer can count.', 'Give at most 596h.');
    return value;
  }

  /** A whole number from `min` to `max`. */
  count(path: OptionPath, value: number, min = 1, max: number = MAX_COUNT): number {
    if (!Number.isInteger(value) || value < min || value > max)
      this.add(path, `${value} is not a whole number from ${min} to ${max}.`);
    return value;
  }
}
