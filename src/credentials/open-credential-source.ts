import { type AutoSpec, openAutoSource } from './auto-source.ts';
import { type BundleSpec, openBundleSource } from './bundle-source.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { type DirectorySpec, openDirectorySource } from './directory-source.ts';
import { type FilesSpec, openFileSource } from './file-source.ts';
import { openWorkloadApiSource, type WorkloadApiSpec } from './workload-api-source.ts';

type PlaceSpec = FilesSpec | BundleSpec | DirectorySpec | WorkloadApiSpec;

/** Where a set of credentials comes from. Equal specs (`isDeepStrictEqual`) are one source. */
export type CredentialSpec = PlaceSpec | AutoSpec;

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
