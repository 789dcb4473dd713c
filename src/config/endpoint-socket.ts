import type { CredentialOptions } from '../node/credential-options.ts';
import type { MembershipOptions } from '../node/membership-options.ts';
import type { FabricNodeOptions, TlsOptions } from '../node/node-options.ts';
import type { KeyPath } from './field.ts';
import { isTable } from './value-types.ts';

/** Where the SPIFFE Workload API is, by standard (SPIFFE Workload Endpoint 4). */
const ENDPOINT_SOCKET = 'SPIFFE_ENDPOINT_SOCKET';

/** The options with what {@link ENDPOINT_SOCKET} says in each table that asks for SPIFFE and says nothing itself. */
export function withEndpointSocket(
  options: FabricNodeOptions,
  env: Readonly<Record<string, string | undefined>>,
): FabricNodeOptions {
  const socket = env[ENDPOINT_SOCKET];
  const tls = options.networking?.tls;
  const etcd = options.membership?.etcd;
  if (socket === undefined || socket === '') return options;
  const filled = <T extends CredentialOptions>(table: T): T =>
    (table.source === 'spiffe' || table.source === 'auto') && table.workloadApiSocket === undefined
      ? { ...table, workloadApiSocket: socket }
      : table;
  return {
    ...options,
    ...(tls === undefined ? {} : { networking: { ...options.networking, tls: filledTls(tls, filled) } }),
    ...(etcd === undefined ? {} : { membership: { ...options.membership, etcd: filled(etcd) } as MembershipOptions }),
  };
}

function filledTls(tls: TlsOptions, filled: <T extends CredentialOptions>(table: T) => T): TlsOptions {
  const { client, profiles } = tls;
  return {
    ...filled(tls),
    ...(client === undefined ? {} : { client: filled(client) }),
    ...(profiles === undefined ? {} : { profiles: profiles.map(filled) }),
  };
}

/** The name of the variable where the value at `path` is the one of it, since `root`, the file and all above it, has none. */
export function placeOfEndpointSocket(
  path: KeyPath,
  root: unknown,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (path.at(-1) !== 'workload-api-socket' || !env[ENDPOINT_SOCKET]) return undefined;
  return valueAt(root, path) === undefined ? ENDPOINT_SOCKET : undefined;
}

function valueAt(root: unknown, path: KeyPath): unknown {
  return path.reduce(
    (below: unknown, part) => (Array.isArray(below) || isTable(below) ? Reflect.get(below, part) : undefined),
    root,
  );
}
