import { parseDnsName, parsePresentedDnsName } from './dns-name.ts';
import { parseIpAddress } from './ip-address.ts';
import type { PeerIdentity } from './peer-identity.ts';

/** A wildcard over a top-level domain would cover every company below it. */
const MIN_LABELS_UNDER_WILDCARD = 2;

/**
 * Whether a certificate is for a host (RFC 9525 6). A name is compared with the DNS names alone, ignoring case and one
 * trailing dot; a leftmost label `*` stands for exactly one label and needs two more after it. An address is compared
 * with the IP names alone. The common name never counts. `host` has no port and no brackets.
 */
export function certificateCoversHost(identity: PeerIdentity, host: string): boolean {
  const address = parseIpAddress(host);
  if (address !== undefined) return identity.ipAddresses.some(name => parseIpAddress(name)?.text === address.text);
  const labels = parseDnsName(host);
  return labels !== undefined && identity.dnsNames.some(name => covers(name, labels));
}

function covers(presented: string, labels: readonly string[]): boolean {
  const name = parsePresentedDnsName(presented);
  if (name === undefined || name.length !== labels.length) return false;
  const [first, ...rest] = name;
  const firstMatches = first === '*' ? rest.length >= MIN_LABELS_UNDER_WILDCARD : first === labels[0];
  return firstMatches && rest.every((label, index) => label === labels[index + 1]);
}
