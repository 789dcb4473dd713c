import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { type CredentialIssuer, SUBJECT_NAME } from './credentials.ts';

/** The files of one node in a directory of its own, and the options that name them. */
export class ReloadFiles implements AsyncDisposable {
  readonly #directory: string;
  readonly #issuer: CredentialIssuer;
  #hasMembers = false;

  private constructor(directory: string, issuer: CredentialIssuer) {
    this.#directory = directory;
    this.#issuer = issuer;
  }

  /** With a certificate of `issuer`, trust in it, and a list that revokes one certificate nobody has. */
  static async create(issuer: CredentialIssuer): Promise<ReloadFiles> {
    const files = new ReloadFiles(await mkdtemp(join(tmpdir(), 'selvedge-bench-')), issuer);
    await files.renewLeaf();
    await files.writeAnchors(issuer.anchorsPem);
    await files.writeCrl(await issuer.revoke(['0a']));
    return files;
  }

  async renewLeaf(): Promise<void> {
    const { certPem, keyPem } = await this.#issuer.issue();
    await this.#write('node.key', keyPem);
    await this.#write('node.pem', certPem);
  }

  writeAnchors(pem: string): Promise<void> {
    return this.#write('ca.pem', pem);
  }

  writeCrl(pem: string): Promise<void> {
    return this.#write('ca.crl', pem);
  }

  async writeMembers(members: readonly { readonly name: string; readonly port: number }[]): Promise<void> {
    const tables = members.map(
      ({ name, port }) => `[[member]]\nname = "${name}"\naddress = "https://127.0.0.1:${port}"\n`,
    );
    await this.#write('members.toml', tables.join('\n'));
    this.#hasMembers = true;
  }

  /** @param also beside the pattern that fits every peer, both for those who dial and those who are dialled. */
  options(denied: readonly string[] = [], also: readonly string[] = []): FabricNodeOptions {
    const path = (name: string) => join(this.#directory, name);
    const names = [`uri:${SUBJECT_NAME}`, ...also];
    return {
      clusterName: 'bench',
      nodeName: 'node-1',
      dataDir: path('data'),
      ...(this.#hasMembers ? { membership: { source: 'file', membersFile: path('members.toml') } } : {}),
      networking: {
        bindAddress: '127.0.0.1:0',
        tls: {
          certFile: path('node.pem'),
          keyFile: path('node.key'),
          caFiles: [path('ca.pem')],
          crlFiles: [path('ca.crl')],
          allowedSubjectNames: names,
          serverSubjectNames: names,
          deniedCertificates: denied,
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
