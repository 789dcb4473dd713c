import { SelvedgeError } from '../errors/selvedge-error.ts';
import { isAddressLike, parseDnsGlob } from './dns-glob.ts';
import { asciiLowerCase } from './dns-name.ts';
import { type IpBlock, parseIpBlock } from './ip-address.ts';
import { type NameGlob, parseNameGlob, type Refuse } from './name-glob.ts';
import { quoted, withoutKey } from './quoted.ts';

/** What part of a certificate a pattern speaks of: its common name, or a subject alternative name. */
export const PATTERN_KINDS = ['cn', 'dns', 'uri', 'ip'] as const;
export type PatternKind = (typeof PATTERN_KINDS)[number];

/** How a pattern looks at values of one kind. */
export type PatternForm =
  | { readonly kind: 'cn' | 'dns'; readonly glob: NameGlob }
  | { readonly kind: 'uri'; readonly scheme: string; readonly authority: string; readonly path: NameGlob | undefined }
  | { readonly kind: 'ip'; readonly block: IpBlock };

/** A parsed subject-name pattern. Made by {@link parsePattern} alone, so it cannot be wrong. */
export interface SubjectNamePattern {
  /** As it was written. */
  readonly text: string;
  /** True for `*`: any certificate that the CA vouches for. */
  readonly any: boolean;
  /** The kinds of names it can match; all of them for `*`. */
  readonly kinds: readonly PatternKind[];
  /** One for each kind; none for `*`. */
  readonly forms: readonly PatternForm[];
}

const MAX_PATTERN_LENGTH = 2_048;

const REFUSED_CHARACTERS: readonly (readonly [RegExp, string])[] = [
  [/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u, 'it holds a control or invisible character'],
  [/^\s|\s$/, 'it begins or ends with a space'],
  [/[{}]/, 'braces are not part of patterns; write one pattern for each alternative'],
  [/[[\]]/, 'brackets and character classes are not part of patterns; addresses are written without brackets'],
  [/!/, '"!" is not part of patterns; there is no negation'],
  [/\?/, '"?" is not part of patterns; "*" stands for any run of characters'],
  [/\\/, 'escapes are not part of patterns'],
];

/**
 * Reads `[kind:]glob` with the kinds `cn`, `dns`, `uri` and `ip`. Without a kind, a text with `://` is a `uri`, an
 * address or CIDR block is an `ip`, and anything else matches a DNS name or the CN. `*` alone is any certificate.
 * Throws `pattern_invalid` with a problem that says what to write instead.
 */
export function parsePattern(text: string): SubjectNamePattern {
  const refuse: Refuse = problem => refusePattern(text, problem);
  if (text === '') refuse('it is empty');
  if (text.length > MAX_PATTERN_LENGTH) refuse(`it is longer than ${MAX_PATTERN_LENGTH} characters`);
  if (text === '*') return { text, any: true, kinds: PATTERN_KINDS, forms: [] };
  for (const [characters, problem] of REFUSED_CHARACTERS) if (characters.test(text)) refuse(problem);
  const forms = parseForms(text, refuse);
  return { text, any: false, kinds: forms.map(form => form.kind), forms };
}

/**
 * Reads a list of patterns. An empty list is allowed here and matches nothing. Throws `pattern_invalid` for the first
 * pattern that is wrong, and when `*` does not stand alone in the list.
 */
export function parsePatterns(texts: readonly string[]): readonly SubjectNamePattern[] {
  const patterns = texts.map(parsePattern);
  if (patterns.length > 1 && patterns.some(pattern => pattern.any))
    refusePattern('*', 'it admits every certificate and must be the only pattern in the list');
  return patterns;
}

function parseForms(text: string, refuse: Refuse): readonly PatternForm[] {
  const kind = PATTERN_KINDS.find(known => text.startsWith(`${known}:`));
  if (kind !== undefined) return [parseForm(kind, text.slice(kind.length + 1), refuse)];
  const ip = parseIpBlock(text);
  if ('block' in ip) return [{ kind: 'ip', block: ip.block }];
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return [parseUri(text, refuse)];
  if (text.includes('://') || text.includes(':')) refuseUnknownKind(text, refuse);
  if (text.includes('/')) refuse(`${ip.problem}; a common name with "/" is written "cn:..."`);
  return parseNameOfEitherKind(text, refuse);
}

function parseForm(kind: PatternKind, glob: string, refuse: Refuse): PatternForm {
  if (glob === '') refuse(`nothing follows "${kind}:"`);
  switch (kind) {
    case 'cn':
      return parseCommonName(glob, refuse);
    case 'dns':
      return { kind, glob: parseDnsGlob(glob, refuse) };
    case 'uri':
      return parseUri(glob, refuse);
    case 'ip': {
      if (glob.includes('*')) refuse('an address has no wildcards; write a CIDR block, such as 10.0.0.0/8');
      const ip = parseIpBlock(glob);
      return 'block' in ip ? { kind, block: ip.block } : refuse(ip.problem);
    }
  }
}

/** Without a kind only what could be a DNS name is taken; a CN of another form needs `cn:`. */
function parseNameOfEitherKind(text: string, refuse: Refuse): readonly PatternForm[] {
  if (isAddressLike(text))
    refuse('it is not an IP address; a range of addresses is written as a CIDR block, such as 10.0.0.0/8');
  if (!/^[A-Za-z0-9_.*-]+$/.test(text))
    refuse('it is not the form of a DNS name; a common name of another form is written "cn:..."');
  const cn = parseCommonName(text, refuse);
  // a name that ends in a number can be a common name (a node may be called "rack.7") but no DNS name
  return /(^|\.)[0-9]+\.?$/.test(text) ? [cn] : [cn, { kind: 'dns', glob: parseDnsGlob(text, refuse) }];
}

function parseCommonName(text: string, refuse: Refuse): PatternForm {
  if (text.startsWith('//')) refuse('"cn" is a kind of pattern; a URI with the scheme "cn" is written "uri:cn://..."');
  const glob = parseNameGlob(text, '.', refuse);
  return { kind: 'cn', glob };
}

function parseUri(text: string, refuse: Refuse): PatternForm {
  const [, scheme, authority, path] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/]*)(\/.*)?$/u.exec(text) ?? [];
  if (scheme === undefined || authority === undefined)
    return refuse('a URI pattern is written scheme://authority/path, and the scheme holds no wildcard');
  if (authority.includes('*')) refuse('the authority (after "://") holds no wildcard');
  if (!/^[A-Za-z0-9._~:%-]+$/.test(authority))
    refuse('the authority (after "://") is not a host with an optional port');
  if (path !== undefined && !/^[A-Za-z0-9._~:%@$&'()*+,;=/-]*$/.test(path))
    refuse('the path holds a character that no URI path has; a query or fragment is not part of patterns');
  return {
    kind: 'uri',
    scheme: asciiLowerCase(scheme),
    authority: asciiLowerCase(authority),
    path: path === undefined ? undefined : parsePath(path.slice(1), refuse),
  };
}

function parsePath(text: string, refuse: Refuse): NameGlob {
  const glob = parseNameGlob(text, '/', refuse);
  const segments = glob.parts.map(part => part.text);
  if (segments.some(segment => segment === '.' || segment === '..')) refuse('the path holds a "." or ".." segment');
  // a single slash at the end is part of some URIs; an empty segment elsewhere is a slip
  if (segments.slice(0, glob.more === undefined ? -1 : undefined).includes(''))
    refuse('the path holds an empty segment');
  return glob;
}

function refuseUnknownKind(text: string, refuse: Refuse): never {
  const kind = text.slice(0, text.indexOf(':'));
  return refuse(`${quoted(kind)} is not a kind of pattern; the kinds are ${PATTERN_KINDS.join(', ')} (in lower case)`);
}

function refusePattern(pattern: string, problem: string): never {
  throw new SelvedgeError('pattern_invalid', `The pattern ${quoted(pattern)} is not valid: ${problem}.`, {
    pattern: withoutKey(pattern),
    problem,
  });
}
