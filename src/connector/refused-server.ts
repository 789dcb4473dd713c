import type { RefusalReason } from '../errors/refusal-reason.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { printable } from '../telemetry/logger.ts';

const servers = new WeakMap<SelvedgeError, PeerIdentity>();

/** A dial that we refuse; `identity` is that of the certificate which the server showed. */
export function refusedByUs(
  reason: RefusalReason,
  detail: string,
  identity: PeerIdentity | undefined,
): SelvedgeError<'refused'> {
  const safe = printable(detail);
  const error = new SelvedgeError('refused', `${reason}: ${safe}`, { reason, by: 'us', detail: safe });
  if (identity !== undefined) servers.set(error, identity);
  return error;
}

/** Who was refused with this error; undefined where no certificate was shown. What it says may be unproven. */
export function refusedServer(error: unknown): PeerIdentity | undefined {
  return error instanceof SelvedgeError ? servers.get(error) : undefined;
}
