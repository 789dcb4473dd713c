import { parsePresentedDnsName } from './dns-name.ts';
import { blockContains, parseIpAddress } from './ip-address.ts';
import { compareParts, type Mismatch } from './name-glob.ts';
import type { PeerIdentity } from './peer-identity.ts';
import type { PatternForm, PatternKind, SubjectNamePattern } from './subject-name-pattern.ts';
import { parseUriName } from './uri-name.ts';

/** Which pattern admitted an identity, and by which of its names. */
export interface PatternMatch {
  /** The pattern as it was written. */
  readonly pattern: string;
  /** The kind of the name that matched; `any` for the pattern `*`. */
  readonly kind: PatternKind | 'any';
  /** The name as the certificate has it; the whole subject for the pattern `*`. */
  readonly value: string;
}

/** The pair of a pattern and a name of its kind that came closest to a match. */
export interface NearMiss {
  readonly pattern: string;
  readonly kind: PatternKind;
  readonly value: string;
  /** Why it is no match, in words for the operator. It quotes the pattern: never send it to a peer. */
  readonly why: string;
}

/** Either what matched, or what came nearest; nothing is near when no name is of a kind that a pattern asks for. */
export type MatchExplanation = { readonly matched: PatternMatch } | { readonly nearest: NearMiss | undefined };

interface Name {
  readonly kind: PatternKind;
  readonly value: string;
}

/**
 * The first match of an identity with a list of patterns, or undefined. The CN is looked at first, then DNS names,
 * URIs and IP addresses. An empty list matches nothing. A name of one kind never matches a pattern of another.
 */
export function matchIdentity(
  patterns: readonly SubjectNamePattern[],
  identity: PeerIdentity,
): PatternMatch | undefined {
  const explanation = explainMatch(patterns, identity);
  return 'matched' in explanation ? explanation.matched : undefined;
}

/** As {@link matchIdentity}, and says what came nearest where nothing matched: what `selvedgectl tls explain` shows. */
export function explainMatch(patterns: readonly SubjectNamePattern[], identity: PeerIdentity): MatchExplanation {
  const any = patterns.find(pattern => pattern.any);
  if (any !== undefined) return { matched: { pattern: any.text, kind: 'any', value: identity.subject } };
  let nearest: NearMiss | undefined;
  let bestAgreement = -1;
  for (const { kind, value } of namesOf(identity)) {
    for (const pattern of patterns) {
      const form = pattern.forms.find(candidate => candidate.kind === kind);
      if (form === undefined) continue;
      const mismatch = compareName(form, value, identity);
      if (mismatch === undefined) return { matched: { pattern: pattern.text, kind, value } };
      if (mismatch.agreement <= bestAgreement) continue;
      bestAgreement = mismatch.agreement;
      nearest = { pattern: pattern.text, kind, value, why: mismatch.why };
    }
  }
  return { nearest };
}

function* namesOf(identity: PeerIdentity): Iterable<Name> {
  if (identity.commonName !== undefined) yield { kind: 'cn', value: identity.commonName };
  for (const value of identity.dnsNames) yield { kind: 'dns', value };
  for (const value of identity.uris) yield { kind: 'uri', value };
  for (const value of identity.ipAddresses) yield { kind: 'ip', value };
}

function compareName(form: PatternForm, value: string, identity: PeerIdentity): Mismatch | undefined {
  switch (form.kind) {
    case 'cn':
      return compareParts(form.glob, value.split('.'));
    case 'dns': {
      const labels = parsePresentedDnsName(value);
      return labels === undefined ? noMatch('it is not a DNS name') : compareParts(form.glob, labels);
    }
    case 'uri':
      return compareUri(form, value, identity);
    case 'ip': {
      const address = parseIpAddress(value);
      if (address !== undefined && blockContains(form.block, address)) return undefined;
      return noMatch(`it is not in ${form.block.text}`);
    }
  }
}

function compareUri(
  form: PatternForm & { readonly kind: 'uri' },
  value: string,
  identity: PeerIdentity,
): Mismatch | undefined {
  const uri = parseUriName(value);
  if (uri === undefined) return noMatch('it is not of the form scheme://authority/path');
  if (form.scheme !== uri.scheme)
    return noMatch(`its scheme is ${JSON.stringify(uri.scheme)} where the pattern has ${JSON.stringify(form.scheme)}`);
  if (form.scheme === 'spiffe' && value !== identity.spiffeId)
    return noMatch('it is not the only URI of the certificate, or not a valid SPIFFE ID');
  if (form.authority !== uri.authority)
    return noMatch(
      `its authority is ${JSON.stringify(uri.authority)} where the pattern has ${JSON.stringify(form.authority)}`,
    );
  if (form.path === undefined || uri.segments === undefined)
    return form.path === undefined && uri.segments === undefined
      ? undefined
      : noMatch(`it has ${uri.segments === undefined ? 'no path' : 'a path'}, unlike the pattern`, 0.1);
  const mismatch = compareParts(form.path, uri.segments);
  // the right authority is always nearer than a wrong one
  return mismatch === undefined ? undefined : { agreement: 0.1 + mismatch.agreement, why: mismatch.why };
}

function noMatch(why: string, agreement = 0): Mismatch {
  return { agreement, why };
}
