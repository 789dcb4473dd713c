import type { RefusalReason } from '../errors/refusal-reason.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { bearsDeniedName, type DeniedNames, parseDeniedNames } from './denied-names.ts';
import type { CertificateMarks, PeerIdentity } from './peer-identity.ts';
import { quoted } from './quoted.ts';

/**
 * Certificates that are refused although their CA vouches for them: by a mark of their own or of a CA certificate that
 * vouches for them, or by a name.
 */
export type DeniedCertificate =
  | { readonly kind: 'sha256'; readonly text: string; readonly fingerprint256: string }
  | { readonly kind: 'serial'; readonly text: string; readonly serialNumber: string }
  | { readonly kind: 'name'; readonly text: string; readonly names: DeniedNames };

const SHA256_DIGITS = 64;

/**
 * Reads an entry of a deny list: `sha256:` and the fingerprint of a certificate, `serial:` and its serial number (both
 * hexadecimal in any case, colons between the bytes or not), or a subject-name pattern. A serial number counts for
 * every CA. `*` would deny everybody and is none.
 *
 * Where a list of allowed names is in doubt it admits nobody; this one then denies. Fingerprint and serial number count
 * for the certificate and for each CA certificate on the good paths from it to trust anchors, the anchor included; a
 * pattern for every name of its kind (see {@link bearsDeniedName}).
 * @throws pattern_invalid
 */
export function parseDeniedCertificate(text: string): DeniedCertificate {
  if (text.replaceAll(':', '').length === SHA256_DIGITS && /^[0-9a-f:]+$/i.test(text))
    throw invalid(text, 'a SHA-256 fingerprint is written "sha256:" and the digits');
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
  if (entry.kind === 'name') return bearsDeniedName(entry.names, identity);
  return [identity, ...(identity.vouchedBy ?? [])].some(marks => bearsMark(entry, marks));
}

function bearsMark(entry: Exclude<DeniedCertificate, { kind: 'name' }>, marks: CertificateMarks): boolean {
  return entry.kind === 'sha256'
    ? entry.fingerprint256 === marks.fingerprint256
    : entry.serialNumber === withoutZeros(marks.serialNumber);
}

function deniedName(text: string): DeniedCertificate {
  const names = parseDeniedNames(text);
  if (text.trim() === '*') throw invalid(text, '"*" would deny everybody');
  return { kind: 'name', text, names };
}

function withoutZeros(hex: string): string {
  return hex.replace(/^(-?)0+(?=[0-9a-f])/, '$1');
}

function invalid(text: string, problem: string): SelvedgeError<'pattern_invalid'> {
  const message = `The entry ${quoted(text)} is not valid: ${problem}.`;
  return new SelvedgeError('pattern_invalid', message, { pattern: text, problem });
}
