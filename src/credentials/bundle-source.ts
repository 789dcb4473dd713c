import type { CredentialReading } from './credential-bytes.ts';
import { tryReadCredentialFiles } from './credential-files.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { splitBundle } from './split-bundle.ts';
import { openWatchedSource } from './watched-source.ts';

/** Certificate chain and key in one PEM file, in any order, as `certificateKeyFile` of MongoDB and `crt` of HAProxy. */
export interface BundleSpec {
  readonly kind: 'bundle';
  readonly bundleFile: string;
  /** Trust anchors; each file may be a bundle. */
  readonly caFiles: readonly string[];
  readonly crlFiles: readonly string[];
}

export function openBundleSource(spec: BundleSpec, parts: CredentialSourceParts): Promise<CredentialSource> {
  return openWatchedSource([spec.bundleFile, ...spec.caFiles, ...spec.crlFiles], () => readBundle(spec), parts);
}

async function readBundle({ bundleFile, caFiles, crlFiles }: BundleSpec): Promise<CredentialReading> {
  const reading = await tryReadCredentialFiles({ certFile: bundleFile, keyFile: bundleFile, caFiles, crlFiles });
  if (!reading.ok) return reading;
  const split = splitBundle(reading.bytes.cert);
  const { ca, crl } = reading.bytes;
  if (typeof split === 'string')
    return { ok: false, problems: [{ file: bundleFile, problem: split }], trust: { ca, crl } };
  return { ok: true, bytes: { ca, crl, ...split } };
}
