import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { type CredentialIssuer, SUBJECT_NAME } from './credentials.ts';

export interface ListedMember {
  readonly name: string;
  readonly address: string;
}

/** The files of many nodes that show one certificate, in a directory of their own, and the options that name them. */
export class NodeFiles implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(issuer: CredentialIssuer): Promise<NodeFiles> {
    const files = new NodeFiles(await mkdtemp(join(tmpdir(), 'selvedge-bench-')));
    const { certPem, keyPem, anchorsPem } = await issuer.issue();
    await files.#write('node.pem', certPem);
    await files.#write('node.key', keyPem);
    await files.#write('ca.pem', anchorsPem);
    return files;
  }

  /** What this node is told of members from now on; it sees a change by itself. */
  async writeMembers(nodeName: string, members: readonly ListedMember[]): Promise<void> {
    await mkdir(join(this.#directory, nodeName), { recursive: true });
    const tables = members.map(({ name, address }) => `[[member]]\nname = "${name}"\naddress = "${address}"\n`);
    await this.#write(`${nodeName}/members.toml`, tables.join('\n'));
  }

  /** Of a strict node for which nothing was chosen but its certificates and members. */
  options(nodeName: string): FabricNodeOptions {
    const path = (name: string) => join(this.#directory, name);
    const names = [`uri:${SUBJECT_NAME}`];
    return {
      clusterName: 'bench',
      nodeName,
      dataDir: path(`${nodeName}/data`),
      membership: { source: 'file', membersFile: path(`${nodeName}/members.toml`) },
      networking: {
        bindAddress: '127.0.0.1:0',
        tls: {
          certFile: path('node.pem'),
          keyFile: path('node.key'),
          caFiles: [path('ca.pem')],
          allowedSubjectNames: names,
          serverSubjectNames: names,
        },
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }

  async #write(name: string, content: string): Promise<void> {
    const temporary = join(this.#directory, `${name}.tmp`);
    await writeFile(temporary, content);
    await chmod(temporary, 0o600);
    await rename(temporary, join(this.#directory, name));
  }
}
