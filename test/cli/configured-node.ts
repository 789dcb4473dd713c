import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { makeDirectory } from './programs.ts';

/** A directory with the configuration of `node-1`, its certificates and a members file; everything is right. */
export interface ConfiguredNode {
  readonly directory: string;
  readonly config: string;
  readonly store: CertStore;
  path(name: string): string;
  /** Replaces the members file; each `[name, address]`. */
  writeMembers(members: readonly (readonly [string, string])[], removed?: readonly string[]): Promise<void>;
  /** Writes the configuration again, with texts replaced. */
  writeConfig(replacements?: Readonly<Record<string, string>>): Promise<void>;
}

const CONFIG = `cluster-name = "dev"
node-name = "node-1"
data-dir = "data"
[networking]
bind-address = "127.0.0.1:0"
[networking.tls]
mode = "strict"
cert-file = "certs/node-1.pem"
key-file = "certs/node-1.key"
ca-file = "certs/ca.pem"
allowed-subject-names = ["uri:spiffe://dev/fabric/*"]
[membership]
source = "file"
members-file = "members.toml"
[authorization]
admin-subject-names = ["uri:spiffe://dev/admin/*"]
`;

export async function makeConfiguredNode(t: TestContext): Promise<ConfiguredNode> {
  const directory = await makeDirectory(t);
  const path = (name: string) => join(directory, name);
  const store = await initCertStore(path('certs'), { clusterName: 'dev' });
  await store.issueNode({ nodeName: 'node-1', hosts: ['127.0.0.1'] });
  const node: ConfiguredNode = {
    directory,
    config: path('node.toml'),
    store,
    path,
    writeMembers: (members, removed = []) => {
      const head = removed.length === 0 ? '' : `removed = ["${removed.join('", "')}"]\n`;
      const tables = members.map(([name, address]) => `[[member]]\nname = "${name}"\naddress = "${address}"\n`);
      return writeFile(path('members.toml'), head + tables.join(''));
    },
    writeConfig: (replacements = {}) => {
      const text = Object.entries(replacements).reduce((before, [from, to]) => before.replaceAll(from, to), CONFIG);
      return writeFile(path('node.toml'), text);
    },
  };
  await node.writeConfig();
  await node.writeMembers([
    ['node-1', '127.0.0.1:5122'],
    ['node-2', 'https://127.0.0.1:5123'],
  ]);
  return node;
}
