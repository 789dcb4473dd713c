import { checkCredentials } from './check-credentials.ts';
import type { CredentialProblem } from './credential-problem.ts';
import type { CredentialSource } from './credential-source.ts';
import { regressionsOf } from './regressions.ts';
import { readCrlFilesInSlices } from './revocation.ts';
import { contentHashOf, createTrustSnapshot, type TrustSnapshot } from './trust-snapshot.ts';

export type Loading =
  | { readonly result: 'ok'; readonly snapshot: TrustSnapshot }
  | {
      readonly result: 'unchanged';
      /** As of now: a list may have expired since, or the source gone away. */
      readonly warnings: readonly string[];
      /** Where the certificate lies now, which may be another place than that of `current`. */
      readonly place: string;
    }
  | { readonly result: 'failed'; readonly problems: readonly CredentialProblem[] };

/**
 * The snapshot that follows `current`, read from `source`. `unchanged` when the bytes are those of `current`, whatever is
 * wrong with them by now: a certificate which has expired since is no failed reload. A set that
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
  const crls = await readCrlFilesInSlices(reading.bytes.crl);
  const { problems, credentials, ...found } = checkCredentials(reading.bytes, now, crls);
  const warnings = [...found.warnings, ...(reading.warnings ?? [])];
  if (contentHash === current?.contentHash) return { result: 'unchanged', warnings, place: reading.bytes.cert.file };
  if (credentials === undefined) return { result: 'failed', problems };
  const regressions = current === undefined ? [] : regressionsOf(current.own, credentials.own, reading.bytes);
  if (regressions.length > 0) return { result: 'failed', problems: regressions };
  const facts = { generation: (current?.generation ?? 0) + 1, now };
  return { result: 'ok', snapshot: createTrustSnapshot(credentials, warnings, contentHash, facts) };
}
