import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { TLS_MODES, type TlsMode } from '../node/node-options.ts';
import type { TlsSettings } from '../node/node-settings.ts';
import { OptionProblems } from '../node/option-problems.ts';
import { resolveCredentials } from '../node/resolve-credentials.ts';
import { CONFIG_SCHEMA } from './config-schema.ts';
import { withEndpointSocket } from './endpoint-socket.ts';
import type { ConfigSources } from './load-config.ts';
import { isTable } from './value-types.ts';

/** What a configuration says, as far as it can be told; files are absolute. */
export interface NamedFiles {
  readonly adminSocket: string | undefined;
  /** As it is written; undefined where it is not, or is none. */
  readonly mode: TlsMode | undefined;
  /** Of `[networking.tls]`; undefined unless they are named whole. */
  readonly credentials: TlsSettings['serverCredentials'] | undefined;
  readonly membersFile: string | undefined;
  readonly policyFile: string | undefined;
  readonly shadowPolicyFile: string | undefined;
  readonly tokenFile: string | undefined;
  readonly jwksFile: string | undefined;
}

/**
 * What a config file names, read without judging it, for those who must go on although it has mistakes: nobody is kept
 * from a node that runs by a file that was edited since, and all mistakes can be told at once. Nothing where the file is
 * not TOML.
 */
export function peekConfig(file: string, env: ConfigSources['env']): NamedFiles {
  const root = parsed(file);
  const path = (value: unknown) => (typeof value === 'string' ? resolve(dirname(file), value) : undefined);
  const dataDir = path(root['data-dir']);
  return {
    adminSocket: path(root['admin-socket']) ?? (dataDir === undefined ? undefined : resolve(dataDir, 'admin.sock')),
    mode: TLS_MODES.find(mode => mode === tableIn(tableIn(root, 'networking'), 'tls').mode),
    credentials: credentialsIn(root, dirname(resolve(file)), env),
    membersFile: path(tableIn(root, 'membership')['members-file']),
    policyFile: path(tableIn(root, 'authorization')['policy-file']),
    shadowPolicyFile: path(tableIn(root, 'authorization')['shadow-policy-file']),
    tokenFile: path(tableIn(root, 'authorization')['token-file']),
    jwksFile: path(tableIn(tableIn(root, 'authorization'), 'jwt')['jwks-file']),
  };
}

function credentialsIn(
  root: Readonly<Record<string, unknown>>,
  baseDir: string,
  env: ConfigSources['env'],
): TlsSettings['serverCredentials'] | undefined {
  const networking = { networking: { tls: tableIn(tableIn(root, 'networking'), 'tls') } };
  const options = CONFIG_SCHEMA.read(networking, [], { baseDir, knownKeys: [], report: () => {} });
  const found = new OptionProblems();
  const { tls = {} } = (options && withEndpointSocket(options, env).networking) ?? {};
  const { spec } = resolveCredentials([], tls, undefined, found);
  return found.problems.length === 0 ? spec : undefined;
}

function parsed(file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

function tableIn(table: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const value = table[key];
  return isTable(value) ? value : {};
}
