import type { DirectorySpec } from './directory-source.ts';

/** Directories in which SVIDs lie as files. */
const DIRECTORIES = [
  // spiffe-helper beside an agent.
  '/run/spire/svids',
  // csi-driver-spiffe of cert-manager, as its documentation mounts it.
  '/var/run/secrets/spiffe.io',
];

/** The places in which `auto` looks, the first first; `crlFiles` count in each of them. */
export function wellKnownPlaces(crlFiles: readonly string[]): readonly DirectorySpec[] {
  return DIRECTORIES.map(directory => ({ kind: 'directory', directory, caFiles: [], crlFiles }) as const);
}
