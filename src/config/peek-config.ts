import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { isTable } from './value-types.ts';

/** Files that a configuration names, absolute. */
export interface NamedFiles {
  readonly adminSocket: string | undefined;
  /** Of `[networking.tls]`; undefined unless certificate, key and CA are all named. */
  readonly credentials:
    | {
        readonly kind: 'files';
        readonly certFile: string;
        readonly keyFile: string;
        readonly caFiles: readonly string[];
        readonly crlFiles: readonly string[];
      }
    | undefined;
  readonly membersFile: string | undefined;
}

/**
 * What a config file names, read without judging it, for those who must go on although it has mistakes: nobody is kept
 * from a node that runs by a file that was edited since, and all mistakes can be told at once. Nothing where the file is
 * not TOML.
 */
export function peekConfig(file: string): NamedFiles {
  const root = parsed(file);
  const path = (value: unknown) => (typeof value === 'string' ? resolve(dirname(file), value) : undefined);
  const paths = (value: unknown) => (Array.isArray(value) ? value : [value]).flatMap(each => path(each) ?? []);
  const tls = tableIn(tableIn(root, 'networking'), 'tls');
  const [certFile, keyFile, caFiles] = [path(tls['cert-file']), path(tls['key-file']), paths(tls['ca-file'])];
  const isComplete = certFile !== undefined && keyFile !== undefined && caFiles.length > 0;
  const dataDir = path(root['data-dir']);
  return {
    adminSocket: path(root['admin-socket']) ?? (dataDir === undefined ? undefined : resolve(dataDir, 'admin.sock')),
    credentials: isComplete
      ? { kind: 'files', certFile, keyFile, caFiles, crlFiles: paths(tls['crl-file']) }
      : undefined,
    membersFile: path(tableIn(root, 'membership')['members-file']),
  };
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
