import { chooseTargets } from '../connector/dial-target.ts';
import type { Address } from '../identity/address.ts';
import type { Introduction, NodeMode } from './introduction.ts';
import type { KnownMember, PeerChannels } from './peer-parts.ts';
import type { PeerStream } from './peer-stream.ts';

export interface StreamRenewalParts {
  readonly name: string;
  readonly connector: Pick<PeerChannels, 'channel' | 'securityOf'>;
  readonly self: () => Introduction;
  readonly member: () => KnownMember | undefined;
}

/**
 * Whether the live stream to one peer is to be replaced by a new one: because the connection under it was replaced, or
 * because the new one would be over mutual TLS and it is not.
 */
export class StreamRenewal {
  readonly #parts: StreamRenewalParts;
  /** The channel has moved to another connection than that of the live stream. */
  #hasMoved = false;

  constructor(parts: StreamRenewalParts) {
    this.#parts = parts;
  }

  /**
   * Where the channel to the peer moved to another connection (other credentials, another address), the stream that we
   * dialled follows it, before the old connection is cut. True where it is to follow now.
   */
  follow(live: PeerStream | undefined): boolean {
    const now = this.#parts.connector.securityOf(this.#parts.name);
    if (live?.direction !== 'outbound' || now === undefined || now === live.security) return false;
    if (live.security.kind === 'mutual_tls' && now.kind !== 'mutual_tls') return false;
    this.#hasMoved = true;
    return true;
  }

  /**
   * Whether the live stream has no place on a node that turned plain while it was dialled: the peer would not let a stream
   * without TLS displace it, so it is to end first.
   */
  isOutOfMode(live: PeerStream | undefined): boolean {
    if (live?.direction !== 'outbound' || live.security.kind === 'none' || this.#parts.self().mode !== 'plain')
      return false;
    return this.#parts.connector.securityOf(this.#parts.name)?.kind === 'none';
  }

  /** The live stream is another one now, or none, or the peer keeps the one there is. */
  settle(): void {
    this.#hasMoved = false;
  }

  isWanted({ security }: PeerStream): boolean {
    return this.#hasMoved || (security.kind !== 'mutual_tls' && this.#wouldDialTls());
  }

  /** Whether a dial now would bring the new stream. Where not, the channel is asked to connect. */
  isReady(): boolean {
    const { connector, name } = this.#parts;
    if (this.#hasMoved || connector.securityOf(name)?.kind === 'mutual_tls') return true;
    // The channel has not moved to TLS yet; a stream over it would be no better than the one there is.
    connector.channel(name).impatient.getConnectivityState(true);
    return false;
  }

  #wouldDialTls(): boolean {
    return wouldDialTls(this.#parts.self().mode, this.#parts.member()?.addresses ?? []);
  }
}

/** Whether a dial by what is known now would be mutual TLS. */
function wouldDialTls(mode: NodeMode, addresses: readonly Address[]): boolean {
  try {
    const [best] = chooseTargets(mode, addresses);
    return best?.scheme === 'https';
  } catch {
    return false;
  }
}
