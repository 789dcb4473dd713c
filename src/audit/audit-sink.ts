import { messageOf } from '../errors/selvedge-error.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditRecord } from './audit-record.ts';

/** Where the records of the audit trail go. */
export interface AuditSink {
  /**
   * Never throws and never waits.
   * @param kept a record that must not be lost: there is always room for it.
   * @returns false: there was no room for it.
   */
  write(record: AuditRecord, kept: boolean): boolean;
  /** The file may have been moved away, or be writable again. */
  reopen(): void;
  /** Resolves when everything is written, here or to the log. */
  close(): Promise<void>;
}

/** What a sink tells of itself: why it cannot be written, undefined when it can again. */
export type OnSinkProblem = (problem: string | undefined) => void;

/** Records as lines of the log, whatever its level. */
export class AuditLog implements AuditSink {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  write(record: AuditRecord): boolean {
    (this.#logger.unfiltered ?? this.#logger).info('audit.record', { ...record });
    return true;
  }

  reopen(): void {}

  async close(): Promise<void> {}
}

export interface AuditFunctionParts {
  /** Called for each record, in order. */
  readonly take: (record: AuditRecord) => void;
  readonly logger: Logger;
  readonly onProblem: OnSinkProblem;
}

/** Hands records to a function of the application; one that it throws on goes to the log. */
export class AuditFunction implements AuditSink {
  readonly #parts: AuditFunctionParts;
  readonly #log: AuditLog;
  #isFailing = false;

  constructor(parts: AuditFunctionParts) {
    this.#parts = parts;
    this.#log = new AuditLog(parts.logger);
  }

  write(record: AuditRecord): boolean {
    const { take, logger, onProblem } = this.#parts;
    try {
      take(record);
    } catch (error) {
      const problem = messageOf(error);
      if (!this.#isFailing) logger.error('audit.failed', { problem });
      this.#isFailing = true;
      onProblem(`the function that takes the records threw: ${problem}`);
      return this.#log.write(record);
    }
    if (this.#isFailing) logger.info('audit.recovered', {});
    this.#isFailing = false;
    onProblem(undefined);
    return true;
  }

  reopen(): void {}

  async close(): Promise<void> {}
}
