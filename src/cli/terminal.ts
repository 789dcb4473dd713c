/** Where a command writes and what it knows of its surroundings; tests hand in their own. */
export interface Terminal {
  /** Writes what was asked for, to standard output. */
  print(text: string): void;
  /** Writes problems and warnings, to standard error. */
  printError(text: string): void;
  readonly paint: Paint;
  readonly env: Readonly<Record<string, string | undefined>>;
  now(): Date;
}

export type Colour = 'good' | 'bad' | 'warning' | 'quiet' | 'heading';

/** Colours a text, or leaves it as it is where colours are off. */
export type Paint = (colour: Colour, text: string) => string;

const ESCAPES: { readonly [Name in Colour]: string } = {
  good: '\u001b[32m',
  bad: '\u001b[31m',
  warning: '\u001b[33m',
  quiet: '\u001b[2m',
  heading: '\u001b[1m',
};
const RESET = '\u001b[0m';

export const paintInColour: Paint = (colour, text) => (text === '' ? '' : `${ESCAPES[colour]}${text}${RESET}`);
export const paintNothing: Paint = (_, text) => text;

/** The terminal of this process. In colour when standard output is one and `NO_COLOR` is not set (no-color.org). */
export function processTerminal(): Terminal {
  // A reader that has seen enough, such as `head`, is no error.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', exitQuietlyOnBrokenPipe);
  const isPlain = !process.stdout.isTTY || (process.env.NO_COLOR ?? '') !== '';
  return {
    print: text => void process.stdout.write(`${text}\n`),
    printError: text => void process.stderr.write(`${text}\n`),
    paint: isPlain ? paintNothing : paintInColour,
    env: process.env,
    now: () => new Date(),
  };
}

function exitQuietlyOnBrokenPipe(error: Error): void {
  if ('code' in error && error.code === 'EPIPE') process.exit();
  throw error;
}
