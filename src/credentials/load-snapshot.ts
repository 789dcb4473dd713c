import { type CredentialCheck, checkCredentials } from './check-credentials.ts';
import { trustHashOf } from './content-hash.ts';
import { type CredentialBytes, FileContent, type TrustBytes } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';
import type { CredentialSource } from './credential-source.ts';
import type { OwnCertificate } from './own-certificate.ts';
import { lostRevocationsOf, regressionsOf } from './regressions.ts';
import { type CrlReading, readCrlFilesInSlices } from './revocation.ts';
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
  | {
      readonly result: 'failed';
      readonly problems: readonly CredentialProblem[];
      /**
       * The certificate in use with the anchors and CRLs that were read: where those are good and others than are in use,
       * they are not held up by what is wrong with the new certificate. Undefined where they are neither.
       */
      readonly trust: TrustSnapshot | undefined;
    };

/**
 * Tries a set of credentials, found usable by itself, before it takes the place of the one in use. Answers why it must
 * not; empty: it may. Must not throw.
 */
export type Trial = (candidate: TrustSnapshot, current: TrustSnapshot) => Promise<readonly CredentialProblem[]>;

export interface LoadingOptions {
  /** Default: it passes. */
  readonly trial?: Trial | undefined;
  /** Whether `current` was read from another source, which had revocation lists of its own. Default false. */
  readonly isOtherSource?: boolean;
}

/**
 * The snapshot that follows `current`, read from `source`. `unchanged` when the bytes are those of `current`, whatever is
 * wrong with them by now: a certificate which has expired since is no failed reload. A set that could be used, but would
 * lose what `current` has (see {@link regressionsOf}, {@link lostRevocationsOf}) or does not stand the trial, fails.
 */
export async function loadSnapshot(
  source: Pick<CredentialSource, 'read'>,
  current: TrustSnapshot | undefined,
  now: Date,
  { trial = async () => [], isOtherSource = false }: LoadingOptions = {},
): Promise<Loading> {
  const reading = await source.read();
  if (!reading.ok) {
    const { problems, trust } = reading;
    return { result: 'failed', problems, trust: trust && trustAlone(trust, current, now, await crlsOf(trust)) };
  }
  const { bytes, warnings: ofPlace = [] } = reading;
  const crls = await crlsOf(bytes);
  const check = checkCredentials(bytes, now, crls);
  const contentHash = contentHashOf(bytes);
  if (contentHash === current?.contentHash)
    return { result: 'unchanged', warnings: [...check.warnings, ...ofPlace], place: bytes.cert.file };
  const made = snapshotOf(bytes, check, current, { now, ofPlace, isOtherSource });
  const problems =
    'problems' in made ? made.problems : current === undefined ? [] : await trial(made.snapshot, current);
  if (problems.length === 0 && 'snapshot' in made) return { result: 'ok', snapshot: made.snapshot };
  return { result: 'failed', problems, trust: trustAlone(bytes, current, now, crls, ofPlace) };
}

type Made = { readonly snapshot: TrustSnapshot } | { readonly problems: readonly CredentialProblem[] };

function snapshotOf(
  bytes: CredentialBytes,
  { credentials, problems, warnings }: CredentialCheck,
  current: TrustSnapshot | undefined,
  { now, ofPlace, isOtherSource }: { now: Date; ofPlace: readonly string[]; isOtherSource: boolean },
): Made {
  if (credentials === undefined) return { problems };
  const { cert, crl } = bytes;
  const crlFiles = crl.length === 0 ? cert.file : crl.map(({ file }) => file).join(', ');
  const lost =
    current === undefined || isOtherSource ? [] : lostRevocationsOf(current.revocations, credentials, crlFiles);
  const regressions = current === undefined ? [] : [...regressionsOf(current.own, credentials.own, bytes), ...lost];
  if (regressions.length > 0) return { problems: regressions };
  const facts = { generation: (current?.generation ?? 0) + 1, now };
  return { snapshot: createTrustSnapshot(credentials, [...warnings, ...ofPlace], contentHashOf(bytes), facts) };
}

/** A peer is revoked by what is read of others, so nothing that is wrong with our own certificate may hold that up. */
function trustAlone(
  read: TrustBytes & Partial<CredentialBytes>,
  current: TrustSnapshot | undefined,
  now: Date,
  crls: CrlReading,
  ofPlace: readonly string[] = [],
): TrustSnapshot | undefined {
  if (current === undefined || trustHashOf(read) === current.trustHash) return undefined;
  const { cert, key } = ownBytesOf(current, read.key);
  const bytes: CredentialBytes = { cert, key, ca: read.ca, crl: read.crl };
  const check = checkCredentials(bytes, now, crls, lastValid(current.own, now));
  const made = snapshotOf(bytes, check, current, { now, ofPlace, isOtherSource: false });
  return 'snapshot' in made ? made.snapshot : undefined;
}

/** That the certificate in use has expired by now is no reason to trust those who are revoked. */
function lastValid({ identity, intermediates }: OwnCertificate, now: Date): Date {
  const ends = [identity, ...intermediates].map(({ notAfter }) => notAfter.getTime());
  return new Date(Math.min(now.getTime(), ...ends));
}

/** The pair in use, under the name and the mode of the key that is there now, so that warnings of that stay the same. */
function ownBytesOf({ own, contextOptions }: TrustSnapshot, { file, mode }: Partial<FileContent> = {}) {
  const { key } = contextOptions('TLSv1.3');
  return {
    cert: new FileContent(own.place, 0o600, Buffer.from(own.chainPem)),
    key: new FileContent(file ?? own.place, mode ?? 0o600, Buffer.from(String(key))),
  };
}

function crlsOf({ crl }: TrustBytes): Promise<CrlReading> {
  return readCrlFilesInSlices(crl);
}
