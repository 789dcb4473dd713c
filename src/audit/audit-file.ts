import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { messageOf } from '../errors/selvedge-error.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { Backoff } from '../lifecycle/backoff.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditGap, AuditRecord } from './audit-record.ts';
import { AuditLog, type AuditSink, type OnSinkProblem } from './audit-sink.ts';

/** Records that wait for the disk; beyond it there is no room. */
const MAX_WAITING = 10_000;
/** Written at once; between two batches it is seen whether the file was moved away. */
const MAX_BATCH = 500;
/** How long the end of a node waits for the disk. */
const CLOSE_MS = 2_000;
const RETRY = { initialMs: 1_000, maxMs: 30_000 };

/** A FIFO that nobody reads must not hold up the node. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const MODE = 0o600;

export interface AuditFileParts {
  readonly file: string;
  readonly logger: Logger;
  readonly onProblem: OnSinkProblem;
  /** The record that tells of others which stand in the log. */
  readonly gap: (facts: { readonly logged: number; readonly sinceMs: number }) => AuditGap;
}

/**
 * JSON lines, appended to a file.
 *
 * F1. Records stand in the file in the order they came, each a whole line. One that does not is in the log.
 * F2. A file that was renamed or removed is opened anew before the next record, by its name.
 * F3. While the file cannot be written, records go to the log at once, and the file is tried again, after 1 s and then
 *     growing waits of up to 30 s, with a record that says how many stand in the log.
 * F4. Memory is bounded: what must be kept and finds no room goes to the log.
 */
export class AuditFile implements AuditSink {
  readonly #parts: AuditFileParts;
  readonly #log: AuditLog;
  readonly #waiting: AuditRecord[] = [];
  readonly #backoff = new Backoff(RETRY);
  #handle: FileHandle | undefined;
  #running: Promise<void> | undefined;
  #state: 'open' | 'failing' | 'closed' = 'open';
  #wantsReopen = false;
  /** The last write ended within a line. */
  #isWithinLine = false;
  #logged = 0;
  #loggedSinceMs = 0;
  #stopRetry: () => void = () => {};

  /** @throws what the system says where the file cannot be opened. */
  static async open(parts: AuditFileParts): Promise<AuditFile> {
    return new AuditFile(parts, await open(parts.file, FLAGS, MODE));
  }

  private constructor(parts: AuditFileParts, handle: FileHandle) {
    this.#parts = parts;
    this.#log = new AuditLog(parts.logger);
    this.#handle = handle;
  }

  write(record: AuditRecord, kept: boolean): boolean {
    if (this.#state === 'open' && this.#waiting.length < MAX_WAITING) {
      this.#waiting.push(record);
      this.#run();
      return true;
    }
    if (this.#state === 'open' && !kept) return false;
    this.#toLog(record);
    return true;
  }

  reopen(): void {
    if (this.#state === 'closed') return;
    this.#wantsReopen = true;
    if (this.#state === 'failing') this.#retryNow();
    else this.#run();
  }

  async close(): Promise<void> {
    this.#stopRetry();
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        isLate = true;
        resolve();
      }, CLOSE_MS);
    });
    // A disk that hangs keeps the batch that it was given; the rest goes to the log.
    while (this.#running !== undefined && !isLate) await Promise.race([this.#running, late]);
    this.#state = 'closed';
    for (const record of this.#waiting.splice(0)) this.#toLog(record);
    if (!isLate) await Promise.race([this.#handle?.close().catch(() => {}), late]);
    clearTimeout(timer);
  }

  get #hasWork(): boolean {
    return this.#state === 'open' && (this.#waiting.length > 0 || this.#wantsReopen);
  }

  #run(): void {
    if (this.#running === undefined && this.#hasWork) this.#running = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#hasWork) {
        const batch = this.#waiting.splice(0, MAX_BATCH);
        const { written, problem } = await this.#append(batch);
        if (problem !== undefined) this.#failed(problem, batch.slice(written));
      }
    } finally {
      this.#running = undefined;
    }
  }

  /** How many of the records are in the file as whole lines. Never rejects. */
  async #append(records: readonly AuditRecord[]): Promise<{ written: number; problem?: string }> {
    let done = 0;
    const lines = records.map(record => Buffer.from(`${JSON.stringify(record)}\n`));
    // What was cut must not swallow the line after it.
    const prefix = this.#isWithinLine ? 1 : 0;
    const bytes = Buffer.concat([...(prefix === 1 ? [Buffer.from('\n')] : []), ...lines]);
    try {
      const handle = await this.#current();
      while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
      this.#isWithinLine = false;
      return { written: records.length };
    } catch (error) {
      const written = wholeLines(lines, done - prefix);
      if (done > 0) this.#isWithinLine = bytes[done - 1] !== 0x0a;
      return { written, problem: messageOf(error) };
    }
  }

  /** The file that has the name now. */
  async #current(): Promise<FileHandle> {
    const { file } = this.#parts;
    const known = this.#handle;
    const isSame = known !== undefined && (await isSameFile(known, file));
    if (isSame && !this.#wantsReopen) return known;
    this.#wantsReopen = false;
    this.#handle = undefined;
    await known?.close().catch(() => {});
    if (!isSame) this.#isWithinLine = false;
    this.#handle = await open(file, FLAGS, MODE);
    return this.#handle;
  }

  #failed(problem: string, rest: readonly AuditRecord[]): void {
    const { file, logger, onProblem } = this.#parts;
    logger.error('audit.failed', { file, problem });
    for (const record of [...rest, ...this.#waiting.splice(0)]) this.#toLog(record);
    if (this.#state === 'closed') return;
    this.#state = 'failing';
    onProblem(`${file} cannot be written: ${problem}`);
    this.#retryLater();
  }

  #toLog(record: AuditRecord): void {
    if (this.#logged === 0) this.#loggedSinceMs = Date.now();
    this.#logged += 1;
    this.#log.write(record);
  }

  #retryLater(): void {
    this.#stopRetry = atTime(Date.now() + this.#backoff.nextMs(), () => this.#retryNow());
  }

  #retryNow(): void {
    if (this.#running !== undefined) return;
    this.#stopRetry();
    this.#running = this.#retry().finally(() => {
      this.#running = undefined;
      this.#run();
    });
  }

  async #retry(): Promise<void> {
    const { file, logger, onProblem, gap } = this.#parts;
    const logged = this.#logged;
    const { problem } = await this.#append(logged === 0 ? [] : [gap({ logged, sinceMs: this.#loggedSinceMs })]);
    if (this.#state !== 'failing') return;
    if (problem !== undefined) {
      onProblem(`${file} cannot be written: ${problem}`);
      return this.#retryLater();
    }
    this.#state = 'open';
    this.#backoff.reset();
    logger.info('audit.recovered', { file, logged });
    onProblem(undefined);
    // What came meanwhile.
    const more = this.#logged - logged;
    this.#logged = 0;
    if (more > 0) this.write(gap({ logged: more, sinceMs: this.#loggedSinceMs }), true);
  }
}

async function isSameFile(handle: FileHandle, file: string): Promise<boolean> {
  try {
    const [open, named] = await Promise.all([handle.stat({ bigint: true }), stat(file, { bigint: true })]);
    return open.dev === named.dev && open.ino === named.ino;
  } catch {
    return false;
  }
}

function wholeLines(lines: readonly Buffer[], bytes: number): number {
  let count = 0;
  let left = bytes;
  for (const line of lines) {
    if (left < line.length) return count;
    left -= line.length;
    count += 1;
  }
  return count;
}
