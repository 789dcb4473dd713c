import type { RoleLists } from '../authorization/admission.ts';
import { explainRoles } from '../authorization/explain-roles.ts';
import { explainChain } from '../credentials/explain-chain.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { explainMatch, type PatternMatch } from '../identity/match-identity.ts';
import { constant } from '../lifecycle/observable-value.ts';
import { ConnectionStanding, type Standing } from '../listener/connection-standing.ts';
import type { Admit } from '../listener/listener-policy.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Explanation } from '../rpc/explain-messages.ts';
import type { Security } from '../rpc/security.ts';
import type { ExplainCalls } from './explain-calls.ts';
import {
  chainMessages,
  describeMatch,
  describeMiss,
  matchMessage,
  missMessage,
  NO_EXPLANATION,
  namesMessage,
} from './explanation-messages.ts';

/** What the listener judges by, at this moment. */
export interface ClientStandard {
  readonly trust: TrustSnapshot | undefined;
  readonly admit: Admit;
  readonly lists: RoleLists;
  /** Names of members whose node name a certificate proves. */
  readonly provenNodes: (identity: NonNullable<Caller['identity']>) => readonly string[];
  readonly explainCalls: ExplainCalls;
}

/** A connection that was opened to us, or a certificate that somebody would open one with. */
export interface ExplainedClient {
  readonly chain: PeerChain | undefined;
  readonly security: Security;
  readonly standing: Standing;
  readonly remoteAddress: string;
  readonly connectionId: number;
  readonly nodeName: string;
}

const MUTUAL_TLS: Security = { kind: 'mutual_tls', protocol: '', cipher: '' };

/** What the listener would say to somebody who shows this chain now. */
export function clientWith(chain: PeerChain, { trust, admit }: ClientStandard): ExplainedClient {
  const { now } = new ConnectionStanding(chain, MUTUAL_TLS, {
    trust: constant(trust),
    policy: constant({ requireClientAuth: true }),
    admit: constant(admit),
  });
  return { chain, security: MUTUAL_TLS, standing: now, remoteAddress: '', connectionId: 0, nodeName: '' };
}

/** Why a client is admitted or not, as what, and what it may call. The verdict is the listener's. */
export function explainClient(client: ExplainedClient, standard: ClientStandard): Explanation {
  const { chain, security, standing, remoteAddress, connectionId, nodeName } = client;
  const { identity } = standing;
  const links = chain === undefined ? [] : explainChain(chain, standard.trust, 'client', new Date());
  const holder = identity ?? links[0]?.identity;
  // What a certificate that no CA of ours vouches for says of itself gives no role.
  const isVouched = identity !== undefined && (standing.admitted || !standing.unauthenticated);
  const roles = isVouched ? explainRoles(standard.lists, identity) : [];
  const matched = standing.admitted ? roles.find(each => each.matched !== undefined)?.matched : undefined;
  const caller: Caller = {
    connectionId,
    remoteAddress,
    security,
    identity: standing.admitted ? identity : undefined,
    roles: standing.admitted ? standing.roles : new Set(),
    bearer: undefined,
  };
  return {
    ...NO_EXPLANATION,
    connectionId,
    direction: connectionId === 0 ? '' : 'inbound',
    remoteAddress,
    security: connectionId === 0 ? '' : security.kind,
    nodeName,
    admitted: standing.admitted,
    reason: standing.admitted ? '' : standing.reason,
    detail: detailOf(standing, matched, security, standard.lists),
    roles: [...caller.roles],
    matched: matched === undefined ? null : matchMessage(matched),
    chain: chainMessages(links),
    names: holder === undefined ? null : namesMessage(holder),
    rolePatterns: roles.map(each => ({
      role: each.role,
      matched: each.matched === undefined ? null : matchMessage(each.matched),
      nearest: each.nearest === undefined ? null : missMessage(each.nearest),
      patterns: standard.lists[each.role].length,
    })),
    provesNodes: isVouched ? standard.provenNodes(identity) : [],
    ...(standing.admitted ? standard.explainCalls(caller) : {}),
  };
}

function detailOf(
  standing: Standing,
  matched: PatternMatch | undefined,
  security: Security,
  { peer, admin, observer }: RoleLists,
): string {
  const { identity } = standing;
  if (!standing.admitted) {
    if (standing.reason !== 'subject_not_allowed' || identity === undefined) return standing.detail;
    const explanation = explainMatch([...peer, ...admin, ...observer], identity);
    return 'nearest' in explanation ? describeMiss(explanation.nearest) : standing.detail;
  }
  if (matched !== undefined) return describeMatch(matched);
  if (standing.roles.has('local')) return 'it came over the admin socket';
  return security.kind === 'none'
    ? 'it speaks plaintext, as the mode allows'
    : 'it showed no certificate, and none is required';
}
