import type { PeerChain } from '../credentials/judge-peer.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { isUnproven } from './refuser.ts';

/** A peer that showed a certificate and was turned away. */
export interface RefusedCertificate {
  readonly chain: PeerChain;
  /** `host:port` of its last attempt. */
  readonly remoteAddress: string;
  readonly reason: RefusalReason;
  /** Who it claims to be; undefined where that could not be read. */
  readonly identity: PeerIdentity | undefined;
  readonly at: Date;
}

/** Of each kind. */
const MAX_ENTRIES = 32;

/**
 * The newest refusal of each certificate that a CA of ours vouches for, and the newest of each host with one that none
 * does; at most 32 of each, so that strangers, to whom a new certificate costs nothing, displace each other alone.
 */
export class RecentRefusals {
  readonly #vouched = new Map<string, RefusedCertificate>();
  readonly #strangers = new Map<string, RefusedCertificate>();

  note(refused: RefusedCertificate): void {
    const { identity, reason, remoteAddress } = refused;
    const isStranger = identity === undefined || isUnproven(reason);
    const kept = isStranger ? this.#strangers : this.#vouched;
    const key = isStranger ? remoteAddress.replace(/:\d+$/, '') : identity.fingerprint256;
    kept.delete(key);
    kept.set(key, refused);
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_ENTRIES) break;
      kept.delete(oldest);
    }
  }

  /** The newest first. */
  get all(): readonly RefusedCertificate[] {
    return [...this.#vouched.values(), ...this.#strangers.values()].toSorted((a, b) => b.at.getTime() - a.at.getTime());
  }
}
