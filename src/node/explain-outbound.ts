import type { ServerExplanation } from '../connector/explain-server.ts';
import type { OutboundConnection } from '../connector/outbound-connections.ts';
import { explainChain } from '../credentials/explain-chain.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import { formatAddress } from '../identity/address.ts';
import type { MatchExplanation } from '../identity/match-identity.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import type { Explanation } from '../rpc/explain-messages.ts';
import {
  chainMessages,
  describeMatch,
  matchMessage,
  missMessage,
  NO_EXPLANATION,
  namesMessage,
} from './explanation-messages.ts';

/** Why the server of a connection that this node opened is spoken to or not. The verdict is the connector's. */
export function explainOutbound(
  connection: OutboundConnection,
  chain: PeerChain | undefined,
  explained: ServerExplanation | undefined,
): Explanation {
  const { id, nodeName, address, security, identity } = connection;
  const links = chain === undefined ? [] : explainChain(chain, explained?.trust, 'server', new Date());
  const verdict = explained?.verdict;
  const match = explained?.match;
  return {
    ...NO_EXPLANATION,
    usage: 'server',
    connectionId: id,
    direction: 'outbound',
    remoteAddress: address,
    security: security.kind,
    nodeName,
    admitted: verdict?.ok ?? security.kind === 'none',
    reason: verdict === undefined || verdict.ok ? '' : verdict.reason,
    detail: detailOf(connection, explained),
    matched: match !== undefined && 'matched' in match ? matchMessage(match.matched) : null,
    chain: chainMessages(links),
    names: identity === undefined ? null : namesMessage(identity),
    expectation: explained === undefined ? null : expectationMessage(explained, match),
  };
}

function expectationMessage(
  { profile, kind, expected }: ServerExplanation,
  match: MatchExplanation | undefined,
): Explanation['expectation'] {
  const nearest = match !== undefined && 'nearest' in match ? match.nearest : undefined;
  return { profile, kind, expected, nearest: nearest === undefined ? null : missMessage(nearest) };
}

function detailOf({ security }: OutboundConnection, explained: ServerExplanation | undefined): string {
  if (security.kind === 'none') return `the connection is plaintext: ${security.reason}`;
  if (explained === undefined) return 'no credentials are configured for its address any more';
  const { verdict, match, expected } = explained;
  if (!verdict.ok) return verdict.detail;
  if (match !== undefined && 'matched' in match) return describeMatch(match.matched);
  return `the certificate is for ${expected.join(', ')}`;
}

/** A member that no stream is open to now, and why, as the peer table knows it. */
export function explainUnconnected({ name, state, reason, detail, addresses }: PeerEntry): Explanation {
  return {
    ...NO_EXPLANATION,
    usage: 'server',
    remoteAddress: addresses.map(formatAddress).join(','),
    nodeName: name,
    reason: reason ?? '',
    detail: `no stream to it is open, it is ${state}${detail === undefined || detail === '' ? '' : `: ${detail}`}`,
  };
}
