import { checkCredentials } from './check-credentials.ts';
import { type CredentialFiles, tryReadCredentialFiles } from './credential-files.ts';
import type { CredentialProblem } from './credential-problem.ts';
import { contentHashOf, createTrustSnapshot, type TrustSnapshot } from './trust-snapshot.ts';

export type Loading =
  | { readonly result: 'ok'; readonly snapshot: TrustSnapshot }
  | { readonly result: 'unchanged' }
  | { readonly result: 'failed'; readonly problems: readonly CredentialProblem[] };

/**
 * The snapshot that follows `current`, read from `files`. `unchanged` when the bytes are those of `current`; they are
 * then not checked again, so that a certificate which has expired since does not look like a failed reload.
 */
export async function loadSnapshot(
  files: CredentialFiles,
  current: TrustSnapshot | undefined,
  now: Date,
): Promise<Loading> {
  const reading = await tryReadCredentialFiles(files);
  if (!reading.ok) return { result: 'failed', problems: reading.problems };
  const contentHash = contentHashOf(reading.bytes);
  if (contentHash === current?.contentHash) return { result: 'unchanged' };
  const { problems, warnings, credentials } = checkCredentials(reading.bytes, now);
  if (credentials === undefined) return { result: 'failed', problems };
  const facts = { generation: (current?.generation ?? 0) + 1, now };
  return { result: 'ok', snapshot: createTrustSnapshot(credentials, warnings, contentHash, facts) };
}
