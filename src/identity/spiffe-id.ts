/** The two halves of a valid SPIFFE ID. */
export interface SpiffeId {
  /** Lower case, such as `prod.example`. */
  readonly trustDomain: string;
  /** With its leading slash; empty for the ID of the trust domain itself. */
  readonly path: string;
}

const MAX_ID_BYTES = 2_048;
const MAX_TRUST_DOMAIN_BYTES = 255;
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/;
const DOT_SEGMENT = /\/\.\.?(?=\/|$)/;

/**
 * Reads a SPIFFE ID (SPIFFE-ID 2.1 to 2.3): lower-case scheme and trust domain, no user, port, query, fragment or
 * percent-encoding, no empty or dot segments, at most 2,048 bytes. Returns undefined for anything else: a text that is
 * nearly a SPIFFE ID is none.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > MAX_ID_BYTES) return undefined;
  const [, trustDomain, path] = SPIFFE_ID.exec(text) ?? [];
  if (trustDomain === undefined || path === undefined) return undefined;
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES || DOT_SEGMENT.test(path)) return undefined;
  return { trustDomain, path };
}

/** The trust domain of what {@link parseSpiffeId} takes; undefined for anything else. */
export function trustDomainOf(text: string): string | undefined {
  return parseSpiffeId(text)?.trustDomain;
}
