/** The part of a socket that is watched. */
export interface WatchedSocket {
  readonly bytesRead: number;
  destroy(): unknown;
}

export interface LivenessParts {
  /** The connection that an asking goes over; undefined while there is none, or while it takes no new calls. */
  readonly socket: () => WatchedSocket | undefined;
  /** Whether anybody waits for an answer. */
  readonly isAwaited: () => boolean;
  /** Asks the other side anything, and ends when it answered or `timeoutMs` have passed. */
  readonly ask: (timeoutMs: number) => Promise<unknown>;
  /** How long nothing may be heard before the other side is asked, in milliseconds. Default: 20,000. */
  readonly quietMs?: number;
  /** How long it may then take until something is heard, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
}

/**
 * Ends a connection that died without a word while calls wait on it (gRFC A8): when nothing was heard for a while the
 * other side is asked, and when then still nothing is heard the socket is destroyed.
 *
 * It takes the place of grpc-js's keepalive, whose pings fail on a connection that got GOAWAY and then end the calls
 * that may still run there (grpc-node issue 3068).
 */
export class Liveness {
  readonly #parts: LivenessParts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
  }

  /** To be called when somebody begins to wait. */
  start(): void {
    if (this.#timer !== undefined) return;
    const socket = this.#parts.socket();
    const heard = socket?.bytesRead;
    this.#timer = setTimeout(() => void this.#check(socket, heard), this.#parts.quietMs ?? 20_000);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #check(socket: WatchedSocket | undefined, heard: number | undefined): Promise<void> {
    const { socket: present, isAwaited, ask, timeoutMs = 10_000 } = this.#parts;
    const isQuiet = () => socket !== undefined && socket === present() && socket.bytesRead === heard;
    if (isAwaited() && isQuiet()) {
      await ask(timeoutMs);
      if (isQuiet()) socket?.destroy();
    }
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    if (isAwaited()) this.start();
  }
}
