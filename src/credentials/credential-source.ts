import type { Logger } from '../telemetry/logger.ts';
import type { CredentialReading } from './credential-bytes.ts';
import type { CredentialFiles } from './credential-files.ts';
import { openFileSource } from './file-source.ts';

/** Certificate, key, anchors and lists in files of their own. */
export interface FilesSpec extends CredentialFiles {
  readonly kind: 'files';
}

/** Where a set of credentials comes from. Equal specs (`isDeepStrictEqual`) are one source. */
export type CredentialSpec = FilesSpec;

/** Where credentials come from: asked for a whole set, and telling when another one may be there. */
export interface CredentialSource {
  /** The set as it is now, each part read once. Never rejects: what is wrong is in the reading. */
  read(): Promise<CredentialReading>;
  /** Tells of nothing from now on, and waits for an `onChange` that runs. */
  close(): Promise<void>;
}

export interface CredentialSourceParts {
  /** Whether to tell of changes at all. */
  readonly watch: boolean;
  /** Told that another set may be there; never while the call before it is still running. */
  readonly onChange: () => unknown;
  readonly logger: Logger;
}

/** Opens a source. Resolves once changes are seen, before anything is read, so that none falls between; never rejects. */
export function openCredentialSource(spec: CredentialSpec, parts: CredentialSourceParts): Promise<CredentialSource> {
  switch (spec.kind) {
    case 'files':
      return openFileSource(spec, parts);
  }
}
