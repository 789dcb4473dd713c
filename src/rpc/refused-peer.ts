import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';

/** A connection, a Hello or a dial that this node refused, or the sender of what it did not take over one that it dialled. */
export interface RefusedPeer {
  /** `outbound`: this node dialled, and refuses who answered. */
  readonly direction: 'inbound' | 'outbound';
  /** `host:port`, or `unix`. Outbound: as it was dialled; empty where that is not known. */
  readonly remoteAddress: string;
  /** Of a Hello, and of what is not taken: the connection over which it came. */
  readonly connectionId?: number | undefined;
  /** Of a Hello: the node that it claims to be. Of a dial: the node that was looked for. */
  readonly claimedNode?: string | undefined;
  readonly reason: RefusalReason;
  /** For the eyes of operators. May hold what the peer said. */
  readonly detail: string;
  /** Of the certificate that was shown; what it says may be what is not proven. */
  readonly identity?: PeerIdentity | undefined;
}
