import type { CredentialOptions, FabricNodeOptions } from '../node/node-options.ts';

/** Where the SPIFFE Workload API is, by standard (SPIFFE Workload Endpoint 4). */
export const ENDPOINT_SOCKET = 'SPIFFE_ENDPOINT_SOCKET';

/** The options with what {@link ENDPOINT_SOCKET} says in each table that asks for SPIFFE and says nothing itself. */
export function withEndpointSocket(
  options: FabricNodeOptions,
  env: Readonly<Record<string, string | undefined>>,
): FabricNodeOptions {
  const socket = env[ENDPOINT_SOCKET];
  const tls = options.networking?.tls;
  if (socket === undefined || socket === '' || tls === undefined) return options;
  const filled = <T extends CredentialOptions>(table: T): T =>
    (table.source === 'spiffe' || table.source === 'auto') && table.workloadApiSocket === undefined
      ? { ...table, workloadApiSocket: socket }
      : table;
  const { client, profiles } = tls;
  return {
    ...options,
    networking: {
      ...options.networking,
      tls: {
        ...filled(tls),
        ...(client === undefined ? {} : { client: filled(client) }),
        ...(profiles === undefined ? {} : { profiles: profiles.map(filled) }),
      },
    },
  };
}
