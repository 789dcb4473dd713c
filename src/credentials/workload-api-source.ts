import { messageOf } from '../errors/selvedge-error.ts';
import type { BackoffOptions } from '../lifecycle/backoff.ts';
import { type FileWatcher, watchFiles } from '../lifecycle/file-watcher.ts';
import { OneAtATime } from '../lifecycle/one-at-a-time.ts';
import type { X509SvidResponse } from '../rpc/workload-api.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CredentialReading } from './credential-bytes.ts';
import { readFiles } from './credential-files.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import type { SvidOutage } from './svid-outage.ts';
import { readSvidResponse } from './svid-response.ts';
import { SvidWatch } from './svid-watch.ts';

/** Credentials from the agent of SPIFFE, SPIRE or another one, over its unix socket (SPIFFE Workload API). */
export interface WorkloadApiSpec {
  readonly kind: 'spiffe';
  /** The path of the socket, without a scheme. */
  readonly socketPath: string;
  /** Trust anchors beside the bundles of the agent, which vouch for anybody: for a cluster that comes from files. */
  readonly caFiles: readonly string[];
  /** Certificate revocation lists beside those of the agent. */
  readonly crlFiles: readonly string[];
}

const NO_ANSWER: SvidOutage = { kind: 'away', problem: 'the agent has not answered in time' };

/** How long the source waits, in milliseconds. */
export interface WorkloadApiTiming {
  /** A reading before the first answer waits for it until so long after the source was opened. */
  readonly startTimeoutMs: number;
  /** Between the end of a stream and the next. */
  readonly retry: BackoffOptions;
}

const TIMING: WorkloadApiTiming = { startTimeoutMs: 10_000, retry: { initialMs: 1_000, maxMs: 30_000, factor: 2 } };

/**
 * The first SVID of the Workload API with the bundles of our own and of federated trust domains, each of which vouches
 * for its own trust domain alone. The stream is held open and opened again when it ends. Readings until the first answer
 * wait for it, at most 10 s from now; while the agent is away the last answer is read, with a warning; an answer that
 * cannot be used and a refusal, such as that no identity is registered for this process, are problems. Keeps the process
 * alive until it is closed.
 */
export async function openWorkloadApiSource(
  spec: WorkloadApiSpec,
  parts: CredentialSourceParts,
  timing: WorkloadApiTiming = TIMING,
): Promise<CredentialSource> {
  const source = new WorkloadApiSource(spec, parts, timing);
  await source.ready;
  return source;
}

/**
 * A1. What is read is the last answer, or the refusal that came after it; an agent that is away takes neither back.
 * A2. A change is told only to who has read before: who still waits for the first answer gets it as a reading.
 */
class WorkloadApiSource implements CredentialSource {
  readonly ready: Promise<void>;
  readonly #spec: WorkloadApiSpec;
  readonly #place: string;
  readonly #logger: Logger;
  readonly #changes: OneAtATime;
  readonly #watch: SvidWatch;
  readonly #files: FileWatcher | undefined;
  /** Resolves once waiting for an answer is over, or of no use. */
  readonly #started: Promise<void>;
  #start: () => void = () => {};
  readonly #startTimer: NodeJS.Timeout;
  #reading: CredentialReading | undefined;
  #outage: SvidOutage | undefined;
  #hasBeenRead = false;

  constructor(spec: WorkloadApiSpec, parts: CredentialSourceParts, { startTimeoutMs, retry }: WorkloadApiTiming) {
    const { socketPath, caFiles, crlFiles } = spec;
    this.#spec = spec;
    this.#place = `spiffe:unix:${socketPath}`;
    this.#logger = parts.logger;
    const onError = (error: unknown) => this.#logger.warn('tls.watch_failed', { problem: messageOf(error) });
    this.#changes = new OneAtATime(parts.watch ? parts.onChange : () => {}, onError);
    this.#files = parts.watch
      ? watchFiles({ files: [...caFiles, ...crlFiles], onChange: () => this.#tell(), onError })
      : undefined;
    this.ready = this.#files?.ready ?? Promise.resolve();
    this.#started = new Promise(resolve => {
      this.#start = resolve;
    });
    this.#startTimer = setTimeout(this.#start, startTimeoutMs);
    this.#watch = new SvidWatch({
      socketPath,
      retry,
      onResponse: response => this.#takeResponse(response),
      onOutage: outage => this.#takeOutage(outage),
      whyNotBelieved: parts.whyNotBelieved,
    });
  }

  async read(): Promise<CredentialReading> {
    await this.#started;
    this.#hasBeenRead = true;
    const reading = this.#lastReading();
    const { caFiles, crlFiles } = this.#spec;
    const { contents, problems } = await readFiles([...caFiles, ...crlFiles]);
    if (!reading.ok) return { ok: false, problems: [...reading.problems, ...problems] };
    if (problems.length > 0) return { ok: false, problems };
    const { bytes } = reading;
    const pick = (names: readonly string[]) => names.flatMap(name => contents.get(name) ?? []);
    return {
      ...reading,
      bytes: { ...bytes, ca: [...bytes.ca, ...pick(caFiles)], crl: [...bytes.crl, ...pick(crlFiles)] },
    };
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#endStart();
    await this.#files?.close();
    await this.#changes.close();
  }

  #lastReading(): CredentialReading {
    if (this.#reading === undefined) return this.#problemOf(this.#outage ?? NO_ANSWER);
    const outage = this.#outage?.problem;
    if (!this.#reading.ok || outage === undefined) return this.#reading;
    const { warnings = [] } = this.#reading;
    return { ...this.#reading, warnings: [...warnings, `${this.#place}: ${outage}; its last answer stays in use`] };
  }

  #problemOf({ problem, kind }: SvidOutage): CredentialReading {
    return { ok: false, problems: [{ file: this.#place, problem, mayPass: kind !== 'unrecoverable' }] };
  }

  #takeResponse(response: X509SvidResponse): void {
    this.#outage = undefined;
    this.#reading = readSvidResponse(response, this.#place);
    this.#endStart();
    this.#tell();
  }

  #takeOutage(outage: SvidOutage): void {
    const isNews = outage.problem !== this.#outage?.problem;
    this.#outage = outage;
    if (outage.kind === 'away') {
      if (isNews && this.#reading !== undefined) this.#tell();
      return;
    }
    // Until the start is over a refusal is no reading yet: an identity may be about to be registered.
    if (outage.kind === 'unrecoverable') this.#endStart();
    if (this.#reading === undefined) return;
    this.#reading = this.#problemOf(outage);
    if (isNews) this.#tell();
  }

  #tell(): void {
    if (this.#hasBeenRead) this.#changes.ask();
  }

  #endStart(): void {
    clearTimeout(this.#startTimer);
    this.#start();
  }
}
