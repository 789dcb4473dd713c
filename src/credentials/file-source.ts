import { type CredentialFiles, tryReadCredentialFiles } from './credential-files.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { openWatchedSource } from './watched-source.ts';

/** Certificate, key, anchors and lists in files of their own. */
export interface FilesSpec extends CredentialFiles {
  readonly kind: 'files';
}

export function openFileSource(spec: FilesSpec, parts: CredentialSourceParts): Promise<CredentialSource> {
  const files = [spec.certFile, spec.keyFile, ...spec.caFiles, ...spec.crlFiles];
  return openWatchedSource(files, () => tryReadCredentialFiles(spec), parts);
}
