import type { RefusalReason } from '../errors/refusal-reason.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { matchIdentity } from './match-identity.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { quoted } from './quoted.ts';
import { parsePattern, type SubjectNamePattern } from './subject-name-pattern.ts';

/** Certificates that are refused although their CA vouches for them, by one mark. */
export type DeniedCertificate =
  | { readonly kind: 'sha256'; readonly text: string; readonly fingerprint256: string }
  | { readonly kind: 'serial'; readonly text: string; readonly serialNumber: string }
  | { readonly kind: 'name'; readonly text: string; readonly pattern: SubjectNamePattern };

const SHA256_DIGITS = 64;

/**
 * Reads an entry of a deny list: `sha256:` and the fingerprint of a certificate, `serial:` and its serial number (both
 * hexadecimal in any case, colons between the bytes or not), or a subject-name pattern. A serial number counts for
 * every CA. `*` would deny everybody and is none.
 * @throws pattern_invalid
 */
export function parseDeniedCertificate(text: string): DeniedCertificate {
  const [, kind, digits = ''] = /^(sha256|serial):(.*)$/i.exec(text) ?? [];
  if (kind === undefined) return deniedName(text);
  const hex = digits.replaceAll(':', '').toLowerCase();
  if (!/^-?[0-9a-f]+$/.test(hex)) throw invalid(text, 'there are no hexadecimal digits behind the colon');
  if (kind.toLowerCase() === 'serial') return { kind: 'serial', text, serialNumber: withoutZeros(hex) };
  if (hex.length !== SHA256_DIGITS || hex.startsWith('-'))
    throw invalid(text, `a SHA-256 fingerprint has ${SHA256_DIGITS} digits`);
  return { kind: 'sha256', text, fingerprint256: hex };
}

/** The first entry that denies a certificate, or undefined. */
export function deniedBy(
  denied: readonly DeniedCertificate[],
  identity: PeerIdentity | undefined,
): DeniedCertificate | undefined {
  return identity === undefined ? undefined : denied.find(entry => denies(entry, identity));
}

/** Why a deny list refuses a certificate; undefined where it does not. The detail is for the log: it quotes the entry. */
export function denialOf(
  denied: readonly DeniedCertificate[],
  identity: PeerIdentity | undefined,
): { readonly reason: RefusalReason; readonly detail: string } | undefined {
  const entry = deniedBy(denied, identity);
  return entry && { reason: 'certificate_revoked', detail: `denied-certificates lists ${entry.text}` };
}

function denies(entry: DeniedCertificate, identity: PeerIdentity): boolean {
  switch (entry.kind) {
    case 'sha256':
      return entry.fingerprint256 === identity.fingerprint256;
    case 'serial':
      return entry.serialNumber === withoutZeros(identity.serialNumber);
    case 'name':
      return matchIdentity([entry.pattern], identity) !== undefined;
  }
}

function deniedName(text: string): DeniedCertificate {
  const pattern = parsePattern(text);
  if (text.trim() === '*') throw invalid(text, '"*" would deny everybody');
  return { kind: 'name', text, pattern };
}

function withoutZeros(hex: string): string {
  return hex.replace(/^(-?)0+(?=[0-9a-f])/, '$1');
}

function invalid(text: string, problem: string): SelvedgeError<'pattern_invalid'> {
  const message = `The entry ${quoted(text)} is not valid: ${problem}.`;
  return new SelvedgeError('pattern_invalid', message, { pattern: text, problem });
}
