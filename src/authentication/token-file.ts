import { isTokenName } from '../rpc/token-name.ts';
import { type BearerRole, isBearerRole } from './bearer-role.ts';

/** A token that is known by its hash alone. */
export interface TokenEntry {
  /** `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`; stands in logs and audit records as `token:NAME`. */
  readonly name: string;
  readonly roles: ReadonlySet<BearerRole>;
  /** SHA-256 of the token, 32 bytes. */
  readonly hash: Buffer;
  /** In Unix milliseconds; infinity where the file says none. */
  readonly expiresAtMs: number;
}

/** One mistake in a file, and the line it stands in. Never quotes the line: a token may have been pasted into it. */
export interface LineProblem {
  readonly line: number;
  readonly problem: string;
  readonly remedy: string;
}

export type ParsedTokens = { readonly entries: readonly TokenEntry[] } | { readonly problems: readonly LineProblem[] };

export const MAX_TOKENS = 1_000;

/**
 * A token file: a line for each token, `NAME ROLE[,ROLE] sha256:HEX [EXPIRES]`, with spaces between. Empty lines and
 * lines that begin with `#` count for nothing. No token at all is a file that lets nobody in.
 */
export function parseTokens(text: string): ParsedTokens {
  const problems: LineProblem[] = [];
  const entries: TokenEntry[] = [];
  const lines = text.split(/\r?\n/);
  for (const [index, written] of lines.entries()) {
    const fields = written.trim();
    if (fields === '' || fields.startsWith('#')) continue;
    const report = (problem: string, remedy = '') => problems.push({ line: index + 1, problem, remedy });
    const entry = parseLine(fields.split(/\s+/), report);
    if (entry === undefined) continue;
    if (entries.some(({ name }) => name === entry.name)) report(`The name ${entry.name} is given twice.`, ONE_NAME);
    if (entries.some(({ hash }) => hash.equals(entry.hash))) report('The same token stands in a line above.', ONE_NAME);
    entries.push(entry);
  }
  if (entries.length > MAX_TOKENS)
    problems.push({ line: lines.length, problem: `There are more than ${MAX_TOKENS} tokens.`, remedy: 'Use JWTs.' });
  return problems.length > 0 ? { problems } : { entries };
}

/** How an entry is written, such as `alice admin sha256:... 2027-01-31T00:00:00Z`. */
export function formatToken({ name, roles, hash, expiresAtMs }: TokenEntry): string {
  const fields = [name, [...roles].join(','), `sha256:${hash.toString('hex')}`];
  return [...fields, ...(Number.isFinite(expiresAtMs) ? [formatTime(expiresAtMs)] : [])].join(' ');
}

/** `2027-01-31T00:00:00Z` in Unix milliseconds (RFC 3339, in UTC, whole seconds); undefined where it is no such time. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return undefined;
  const unixMs = Date.parse(text);
  // Date takes 30 February for 2 March.
  return Number.isNaN(unixMs) || formatTime(unixMs) !== text ? undefined : unixMs;
}

const ONE_NAME = 'A token has one line, and each line a name of its own.';

type Report = (problem: string, remedy?: string) => void;

function parseLine(fields: readonly string[], report: Report): TokenEntry | undefined {
  const [name = '', roleWords = '', hashText = '', expires, ...more] = fields;
  if (fields.length < 3 || more.length > 0) {
    report(`It has ${fields.length} fields.`, 'Write NAME ROLE[,ROLE] sha256:HEX [EXPIRES].');
    return undefined;
  }
  const hasName = isTokenName(name);
  if (!hasName) report('The first field is no name.', 'A name is letters, digits and ._@-, 64 at most.');
  const roles = parseRoles(roleWords);
  if (roles === undefined) report('The second field is no list of roles.', 'Write admin, observer or admin,observer.');
  const [, hex] = /^sha256:([0-9a-fA-F]{64})$/.exec(hashText) ?? [];
  if (hex === undefined)
    report('The third field is no hash.', 'Write sha256: and 64 hexadecimal digits; never the token itself.');
  const expiresAtMs = expires === undefined ? Number.POSITIVE_INFINITY : parseTime(expires);
  if (expiresAtMs === undefined) report('The fourth field is no time.', 'Write it like 2027-01-31T00:00:00Z.');
  if (!hasName || roles === undefined || hex === undefined || expiresAtMs === undefined) return undefined;
  return { name, roles, hash: Buffer.from(hex, 'hex'), expiresAtMs };
}

/** @param words `admin,observer`, each at most once. */
export function parseRoles(words: string): ReadonlySet<BearerRole> | undefined {
  const list = words.split(',');
  const roles = new Set(list.filter(isBearerRole));
  return roles.size === list.length ? roles : undefined;
}

function formatTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
