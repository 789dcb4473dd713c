import { checkCredentials } from './check-credentials.ts';
import type { CredentialProblem } from './credential-problem.ts';
import type { CredentialSource } from './credential-source.ts';
import { regressionsOf } from './regressions.ts';
import { readCrlFilesInSlices } from './revocation.ts';
import { contentHashOf, createTrustSnapshot, type TrustSnapshot } from './trust-snapshot.ts';

export type Loading =
  | { readonly result: 'ok'; readonly snapshot: TrustSnapshot }
  | { readonly result: 'unchanged' }
  | { readonly result: 'failed'; readonly problems: readonly CredentialProblem[] };

/**
 * The snapshot that follows `current`, read from `source`. `unchanged` when the bytes are those of `current`; they are
 * then not checked again, so that a certificate which has expired since does not look like a failed reload. A set that
 * could be used, but would lose what `current` has (see {@link regressionsOf}), fails.
 */
export async function loadSnapshot(
  source: Pick<CredentialSource, 'read'>,
  current: TrustSnapshot | undefined,
  now: Date,
): Promise<Loading> {
  const reading = await source.read();
  if (!reading.ok) return { result: 'failed', problems: reading.problems };
  const contentHash = contentHashOf(reading.bytes);
  if (contentHash === current?.contentHash) return { result: 'unchanged' };
  const { problems, warnings, credentials } = checkCredentials(
    reading.bytes,
    now,
    await readCrlFilesInSlices(reading.bytes.crl),
  );
  if (credentials === undefined) return { result: 'failed', problems };
  const regressions = current === undefined ? [] : regressionsOf(current.own, credentials.own, reading.bytes.cert.file);
  if (regressions.length > 0) return { result: 'failed', problems: regressions };
  const facts = { generation: (current?.generation ?? 0) + 1, now };
  const allWarnings = [...warnings, ...(reading.warnings ?? [])];
  return { result: 'ok', snapshot: createTrustSnapshot(credentials, allWarnings, contentHash, facts) };
}
