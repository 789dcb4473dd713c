import { knownAs, type PeerIdentity } from '../identity/peer-identity.ts';
import { printable } from './logger.ts';

/**
 * Log fields of a certificate: `identity`, what its holder is called, is there where `subject` is empty, as in the
 * SVIDs of SPIRE. None where nothing was shown.
 */
export function certificateFields(identity: PeerIdentity | undefined): Record<string, string> {
  if (identity === undefined) return {};
  return {
    subject: printable(identity.subject),
    identity: printable(knownAs(identity)),
    fingerprint: identity.fingerprint256,
  };
}
