import { certificateCoversHost } from '../identity/host-name.ts';
import { explainMatch } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';

/**
 * Whom a dial expects to find. `host`: the dialled host, or `name` in its place, must be in the certificate (RFC 9525).
 * `names`: one of the patterns must match, the host does not matter.
 */
export type ServerExpectation =
  | { readonly kind: 'host'; readonly name?: string }
  | { readonly kind: 'names'; readonly patterns: readonly SubjectNamePattern[] };

/** Why the verified certificate is not the one that was expected at `host`, or undefined when it is. */
export function unexpectedServer(
  expectation: ServerExpectation,
  identity: PeerIdentity,
  host: string,
): string | undefined {
  if (expectation.kind === 'host') {
    const expected = expectation.name ?? host;
    return certificateCoversHost(identity, expected)
      ? undefined
      : `the certificate of ${identity.subject} is not for ${expected}`;
  }
  if ('matched' in explainMatch(expectation.patterns, identity)) return undefined;
  return `the certificate of ${identity.subject} bears none of the expected names`;
}
