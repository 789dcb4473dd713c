import { asciiLowerCase } from './dns-name.ts';

/** A URI name of a certificate in the one form that patterns know: scheme://authority/path. */
export interface UriName {
  /** Lower case. */
  readonly scheme: string;
  /** Lower case; never empty. */
  readonly authority: string;
  /** The path split at its slashes, percent-escapes as they stand; undefined when there is no path at all. */
  readonly segments: readonly string[] | undefined;
}

/**
 * Takes a URI apart; undefined for one with a query or fragment, or without an authority. Empty and dot segments stay as
 * they are, for the comparison to refuse: no pattern spells them, and no wildcard stands for them.
 */
export function parseUriName(text: string): UriName | undefined {
  const [, scheme, authority, path] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]+)(\/[^?#]*)?$/u.exec(text) ?? [];
  if (scheme === undefined || authority === undefined) return undefined;
  return { scheme: asciiLowerCase(scheme), authority: asciiLowerCase(authority), segments: path?.slice(1).split('/') };
}
