import type { Logger } from '../telemetry/logger.ts';
import { type AutoSpec, openAutoSource } from './auto-source.ts';
import { type BundleSpec, openBundleSource } from './bundle-source.ts';
import type { CredentialReading } from './credential-bytes.ts';
import { type DirectorySpec, openDirectorySource } from './directory-source.ts';
import { type FilesSpec, openFileSource } from './file-source.ts';
import { openWorkloadApiSource, type WorkloadApiSpec } from './workload-api-source.ts';

/** Where a set of credentials comes from, said outright. */
export type PlaceSpec = FilesSpec | BundleSpec | DirectorySpec | WorkloadApiSpec;

/** Where a set of credentials comes from. Equal specs (`isDeepStrictEqual`) are one source. */
export type CredentialSpec = PlaceSpec | AutoSpec;

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
  /** The table of mounts, in which files that can never change are found. Default `/proc/self/mountinfo`. */
  readonly mountInfo?: string;
}

/** Opens a source. Resolves once changes are seen, before anything is read, so that none falls between; never rejects. */
export async function openCredentialSource(
  spec: CredentialSpec,
  parts: CredentialSourceParts,
): Promise<CredentialSource> {
  return spec.kind === 'auto' ? openAutoSource(spec, parts, openPlace) : openPlace(spec, parts);
}

function openPlace(spec: PlaceSpec, parts: CredentialSourceParts): Promise<CredentialSource> {
  switch (spec.kind) {
    case 'files':
      return openFileSource(spec, parts);
    case 'bundle':
      return openBundleSource(spec, parts);
    case 'directory':
      return openDirectorySource(spec, parts);
    case 'spiffe':
      return openWorkloadApiSource(spec, parts);
  }
}
