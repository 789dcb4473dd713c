import { Repeats } from '../lifecycle/repeats.ts';
import type { LogFields, Logger } from '../telemetry/logger.ts';

/** What of a logger is needed to say how a peer stands. */
export type PeerLog = Pick<Logger, 'debug' | 'info' | 'warn'>;

/** More than an operator causes in ten seconds, and little enough to keep. */
const LINES = 20;

/** The log of one peer: it chooses how often it comes and goes, and gets a few lines of each kind in ten seconds. */
export class SparingLog implements PeerLog {
  readonly #logger: PeerLog;
  readonly #clock: () => number;
  readonly #repeats = new Repeats(LINES);

  /** @param clock Unix milliseconds. */
  constructor(logger: PeerLog, clock: () => number = Date.now) {
    this.#logger = logger;
    this.#clock = clock;
  }

  debug(event: string, fields: LogFields): void {
    this.#logger.debug(event, fields);
  }

  info(event: string, fields: LogFields): void {
    this.#sparingly('info', event, fields);
  }

  warn(event: string, fields: LogFields): void {
    this.#sparingly('warn', event, fields);
  }

  #sparingly(level: 'info' | 'warn', event: string, fields: LogFields): void {
    const suppressed = this.#repeats.next(event, this.#clock());
    if (suppressed === undefined) return;
    this.#logger[level](event, suppressed === 0 ? fields : { ...fields, suppressed });
  }
}
