import type { PeerUsage } from '../credentials/judge-peer.ts';
import { matchIdentity } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import { printable } from '../telemetry/logger.ts';
import type { NodeSettings, TlsSettings } from './node-settings.ts';

/** Why nodes with the same list would not admit this node by its client certificate; empty: they would. */
export function unlistedName({ allowedSubjectNames, requireClientAuth }: TlsSettings, client: PeerIdentity): string[] {
  if (!requireClientAuth && allowedSubjectNames.length === 0) return [];
  if (matchIdentity(allowedSubjectNames, client) !== undefined) return [];
  return [
    `networking.tls.allowed-subject-names does not match the certificate of this node itself (${client.subject}), ${names(client)}: nodes with the same list refuse it as subject_not_allowed`,
  ];
}

/** Why nodes with the same `node-identity` would not take the holder of a certificate for this node; empty: they would. */
export function unprovenName(nodeName: string, tls: TlsSettings, identity: PeerIdentity, usage: PeerUsage): string[] {
  if (tls.nodeIdentity === undefined) return [];
  const name = tls.nodeIdentity.replaceAll('{node-name}', nodeName);
  if (matchIdentity([parsePattern(name)], identity) !== undefined) return [];
  return [
    `networking.tls.node-identity asks this node to prove ${name}, which its ${usage} certificate, ${names(identity)}, does not: nodes with the same node-identity refuse it as node_identity_mismatch`,
  ];
}

/** The names that patterns are compared with. */
function names({ commonName, dnsNames, uris, ipAddresses }: PeerIdentity): string {
  const all = [
    ...(commonName === undefined ? [] : [`cn:${commonName}`]),
    ...dnsNames.map(name => `dns:${name}`),
    ...uris.map(name => `uri:${name}`),
    ...ipAddresses.map(name => `ip:${name}`),
  ];
  return all.length === 0 ? 'which bears no name' : `which bears ${printable(all.join(', '), 500)}`;
}

/**
 * By which of its own rules this node would not take a new certificate for its own, where it takes the one in use. Each
 * may be so from the start, as the others may be configured otherwise; but a certificate that *becomes* so is a mistake
 * that would cut this node off.
 *
 * @param usages what the certificate is used as; not empty.
 */
export function lostOwnNames(
  nodeName: string,
  tls: TlsSettings,
  { candidate, current }: { readonly candidate: PeerIdentity; readonly current: PeerIdentity },
  usages: readonly PeerUsage[],
): readonly string[] {
  const [usage = 'server'] = usages;
  const checks = [
    ...(usages.includes('client') ? [(identity: PeerIdentity) => unlistedName(tls, identity)] : []),
    (identity: PeerIdentity) => unprovenName(nodeName, tls, identity, usage),
  ];
  return checks.flatMap(check => (check(current).length > 0 ? [] : check(candidate)));
}

/**
 * Why nodes that are configured like this one would not take it for what it is; empty: they would.
 * @param own the certificates of each usage; without one for `client` that of `server` is shown there too.
 */
export function ownNameProblems(
  { nodeName, tls }: Pick<NodeSettings, 'nodeName' | 'tls'>,
  own: { readonly server: PeerIdentity | undefined; readonly client: PeerIdentity | undefined },
): readonly string[] {
  if (tls === undefined) return [];
  const { server, client = server } = own;
  return [
    ...(client === undefined ? [] : unlistedName(tls, client)),
    ...(server === undefined ? [] : unprovenName(nodeName, tls, server, 'server')),
    ...(client === undefined || client === server ? [] : unprovenName(nodeName, tls, client, 'client')),
  ];
}
