import { parsePresentedDnsName } from './dns-name.ts';
import { matchIdentity } from './match-identity.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { parsePattern, type SubjectNamePattern } from './subject-name-pattern.ts';

/** A subject-name pattern of those who are refused. */
export interface DeniedNames {
  readonly pattern: SubjectNamePattern;
  /** The same in lower case, for common names. */
  readonly lowered: SubjectNamePattern;
}

/** @throws pattern_invalid */
export function parseDeniedNames(text: string): DeniedNames {
  return { pattern: parsePattern(text), lowered: parsePattern(text.toLowerCase()) };
}

/**
 * Whether any name of a certificate is one that the pattern denies, each looked at as if it were the only one: one of
 * several common names, in any case; one of several URIs, though then none is a SPIFFE ID; a DNS name with a wildcard
 * that covers a denied name.
 */
export function bearsDeniedName({ pattern, lowered }: DeniedNames, identity: PeerIdentity): boolean {
  const { commonNames, dnsNames, uris, ipAddresses } = identity;
  const isDenied = (name: Partial<PeerIdentity>, by = pattern): boolean =>
    matchIdentity([by], { ...identity, ...NAMELESS, ...name }) !== undefined;
  return (
    commonNames.some(commonName => isDenied({ commonName: commonName.toLowerCase() }, lowered)) ||
    dnsNames.some(name => [name, ...coveredNames(name, pattern)].some(dnsName => isDenied({ dnsNames: [dnsName] }))) ||
    uris.some(uri => isDenied({ uris: [uri], spiffeId: uri })) ||
    ipAddresses.some(address => isDenied({ ipAddresses: [address] }))
  );
}

const NAMELESS = { commonName: undefined, dnsNames: [], uris: [], ipAddresses: [], spiffeId: undefined } as const;

/** Of the names that a wildcard covers, one that a pattern of as many labels can match, where it can match any. */
function coveredNames(name: string, { forms }: SubjectNamePattern): readonly string[] {
  const [wildcard, ...rest] = parsePresentedDnsName(name) ?? [];
  if (wildcard !== '*') return [];
  return forms.flatMap(form => {
    const first = form.kind === 'dns' && form.glob.more === undefined ? form.glob.parts[0] : undefined;
    return first === undefined ? [] : [[first.text.replaceAll('*', 'x'), ...rest].join('.')];
  });
}
