import type * as net from 'node:net';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { alertBytes, goawayBytes, http1Bytes } from './refusal.ts';
import { RefusalDelay } from './refusal-delay.ts';
import type { Sniffed } from './sniff.ts';

/** A refused peer that reads nothing is not waited for longer than this. */
const LAST_WORDS_MS = 1_000;

const UNPROVEN: readonly RefusalReason[] = ['unknown_ca', 'malformed_certificate'];

/** Whether a refused certificate is one that no CA of ours vouches for: what it says is its holder's word, and a new one is free. */
export function isUnproven(reason: RefusalReason): boolean {
  return UNPROVEN.includes(reason);
}

export interface Refusal {
  readonly reason: RefusalReason;
  /** For the log; a peer that spoke plaintext is told it too. Never says what would be allowed. */
  readonly detail: string;
  readonly identity?: PeerIdentity | undefined;
}

/** Turns peers away: says why in the words of their protocol, logs `connection.refused`, counts it. */
export class Refuser {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #told: (peer: RefusedPeer) => void;
  readonly #delay = new RefusalDelay();
  readonly #refused = new WeakSet<net.Socket>();
  readonly #repeats = new Repeats();

  /** @param told of each refusal, also of those that are not worth a line. */
  constructor(logger: Logger, metrics: Metrics, told: (peer: RefusedPeer) => void = () => {}) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#told = told;
  }

  /** Refuses a peer that was not handed to TLS. */
  refusePlain(socket: net.Socket, sniffed: Sniffed, refusal: Refusal): void {
    this.record(socket, refusal);
    this.#endWith(socket, socket, plainBytes(sniffed, refusal));
  }

  /** Refuses a peer over the TLS connection it made on `raw`. Only the code goes out: it has proven nothing. */
  refuseSecured(raw: net.Socket, secured: net.Socket, refusal: Refusal): void {
    this.record(raw, refusal);
    this.#endWith(raw, secured, goawayBytes(refusal.reason, ''));
  }

  /**
   * Logs and counts only, for a peer that can no longer be told. A connection is refused once; a flood of alike
   * refusals of one address is one line every ten seconds, which says how many lines it stands for. Certificates that a
   * CA of ours vouches for are told apart.
   */
  record(socket: net.Socket, { reason, detail, identity }: Refusal): void {
    if (this.#refused.has(socket)) return;
    this.#refused.add(socket);
    this.#metrics.connectionsRefused.inc({ reason });
    this.#told({ direction: 'inbound', remoteAddress: remoteOf(socket), reason, detail, identity });
    const proven = isUnproven(reason) ? undefined : identity?.fingerprint256;
    const suppressed = this.#repeats.next(`${socket.remoteAddress} ${reason} ${proven}`, Date.now());
    if (suppressed === undefined) return;
    this.#logger.warn('connection.refused', {
      direction: 'inbound',
      remote: remoteOf(socket),
      reason,
      detail: printable(detail),
      ...certificateFields(identity),
      ...(suppressed === 0 ? {} : { suppressed }),
    });
  }

  /** Says the last words after the delay, swallows what the peer still sends (a reset would eat them), and closes. */
  #endWith(raw: net.Socket, socket: net.Socket, bytes: Buffer): void {
    const delayMs = this.#delay.next(raw.remoteAddress ?? 'unix', Date.now());
    const timers: NodeJS.Timeout[] = [];
    raw.once('close', () => {
      for (const timer of timers) clearTimeout(timer);
    });
    const say = () => {
      socket.end(bytes);
      socket.resume();
      timers.push(setTimeout(() => raw.destroy(), LAST_WORDS_MS));
    };
    if (delayMs === 0) say();
    else timers.push(setTimeout(say, delayMs));
  }
}

function plainBytes(sniffed: Sniffed, { reason, detail }: Refusal): Buffer {
  if (sniffed === 'tls')
    return alertBytes(reason === 'tls_on_plain_listener' ? 'insufficient_security' : 'internal_error');
  return sniffed === 'http1' ? http1Bytes() : goawayBytes(reason, detail);
}

/** `host:port` of the other end, `unix` where it has none. */
export function remoteOf(socket: net.Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return 'unix';
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
