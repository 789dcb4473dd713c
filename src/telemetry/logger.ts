import { type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts of a log line. Never put key material or a peer's unchecked text in (see {@link printable}). */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call: `event` is a stable name such as `connection.refused`, meant to be matched by machines. */
export interface Logger {
  debug(event: string, fields?: LogFields, message?: string): void;
  info(event: string, fields?: LogFields, message?: string): void;
  warn(event: string, fields?: LogFields, message?: string): void;
  error(event: string, fields?: LogFields, message?: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
  setLevel(level: LogLevel): void;
  /** Writes whatever the level is: for records that nobody may switch off. Left out: they are written as any other. */
  readonly unfiltered?: Pick<Logger, 'info'>;
}

export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** People-friendly lines instead of JSON. Default false. */
  readonly pretty?: boolean;
  /** Where lines go. Default the process's standard output. */
  readonly write?: (line: string) => void;
}

/** A logger that writes one JSON object a line, ISO time, level by name. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const write = options.write;
  if (write !== undefined) return wrap(pino(settings, { write }));
  const destination = standardOutput();
  if (options.pretty === true)
    return wrap(pino(settings, pretty({ destination, sync: true, ignore: 'event', messageFormat: '{event} {msg}' })));
  return wrap(pino(settings, destination));
}

/** Characters that wait while nothing can be written; what comes then is lost. */
const MAX_WAITING = 1_048_576;

/** A disk that is full, or any other reason why a line cannot be written, stops no call and no node: lines wait for it. */
function standardOutput(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 1, sync: true, maxLength: MAX_WAITING });
  destination.on('error', () => {});
  return destination;
}

/** A logger that writes nothing, at any level: the default of every part that can be used alone. */
export const silentLogger: Logger = wrap(pino({ level: 'silent' }, { write: () => {} }));

function wrap(inner: PinoLogger): Logger {
  const always = inner.child({}, { level: 'info' });
  return {
    unfiltered: { info: (event, fields, message) => always.info({ event, ...fields }, message) },
    debug: (event, fields, message) => inner.debug({ event, ...fields }, message),
    info: (event, fields, message) => inner.info({ event, ...fields }, message),
    warn: (event, fields, message) => inner.warn({ event, ...fields }, message),
    error: (event, fields, message) => inner.error({ event, ...fields }, message),
    child: fields => wrap(inner.child(fields)),
    // Children of pino follow.
    setLevel: level => {
      inner.level = level;
    },
  };
}

/**
 * Text that came from outside, made safe to print and to log: control characters become `\xNN`-style escapes and the
 * rest is cut at `maxLength` (default 200) characters.
 */
export function printable(text: string, maxLength = 200): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
