import { judgePeerCertificate, type PeerChain, type PeerVerdict, provenIdentity } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type DeniedCertificate, denialOf } from '../identity/denied-certificate.ts';
import { type ServerExpectation, unexpectedServer } from './server-expectation.ts';

/** What a server at one address is held against. */
export interface ServerStandard {
  readonly trust: TrustSnapshot;
  readonly expectation: ServerExpectation;
  readonly denied: readonly DeniedCertificate[];
  /** The host that was dialled, without brackets or port. */
  readonly host: string;
}

/**
 * The one verdict on a server, at the dial and on connections that are open: its chain, then who it is, then the deny
 * list. Who was found good before is first held against the deny list, which costs no look at the chain.
 */
export function judgeServer(chain: PeerChain | undefined, standard: ServerStandard, now: Date): PeerVerdict {
  const proven = chain && provenIdentity(chain);
  const known = denialOf(standard.denied, proven);
  if (known !== undefined) return { ok: false, ...known, identity: proven };
  const verdict = judgePeerCertificate(chain, standard.trust, 'server', now);
  if (!verdict.ok) return verdict;
  const { identity } = verdict;
  const unexpected = unexpectedServer(standard.expectation, identity, standard.host);
  if (unexpected !== undefined) return { ok: false, reason: 'server_identity_mismatch', detail: unexpected, identity };
  const denial = denialOf(standard.denied, identity);
  return denial === undefined ? verdict : { ok: false, ...denial, identity };
}
