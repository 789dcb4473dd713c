import type { DirectorySpec } from './directory-source.ts';
import type { WorkloadApiSpec } from './workload-api-source.ts';

/** Sockets of the Workload API. */
const SOCKETS = [
  // spiffe-csi, as its examples mount it.
  '/spiffe-workload-api/spire-agent.sock',
  // The Helm charts of SPIRE.
  '/run/spire/agent-sockets/spire-agent.sock',
  // The Kubernetes quickstart of SPIRE.
  '/run/spire/sockets/agent.sock',
  // What a SPIRE agent binds to when it is told nothing.
  '/tmp/spire-agent/public/api.sock',
];

/** Directories in which SVIDs lie as files. */
const DIRECTORIES = [
  // spiffe-helper beside an agent.
  '/run/spire/svids',
  // csi-driver-spiffe of cert-manager, as its documentation mounts it.
  '/var/run/secrets/spiffe.io',
];

/** Where credentials may be found without being told. */
export type WellKnownPlace = DirectorySpec | WorkloadApiSpec;

/**
 * The places in which `auto` looks, the first first; `crlFiles` count in each of them.
 * @param socketPath of the Workload API, such as `SPIFFE_ENDPOINT_SOCKET` names it; comes before all others.
 */
export function wellKnownPlaces(
  socketPath: string | undefined,
  crlFiles: readonly string[],
): readonly WellKnownPlace[] {
  const sockets = [...(socketPath === undefined ? [] : [socketPath]), ...SOCKETS];
  return [
    ...[...new Set(sockets)].map(path => ({ kind: 'spiffe', socketPath: path, caFiles: [], crlFiles }) as const),
    ...DIRECTORIES.map(directory => ({ kind: 'directory', directory, caFiles: [], crlFiles }) as const),
  ];
}
