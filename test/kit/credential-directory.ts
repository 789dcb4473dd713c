import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CredentialFiles } from '../../src/credentials/credential-files.ts';
import type { FilesSpec } from '../../src/credentials/file-source.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';

/** The names of the files a {@link CredentialDirectory} holds. */
export type CredentialFileName = 'node.pem' | 'node.key' | 'ca.pem' | 'ca.crl';

/** A directory with the credentials of one node, removed after the test. */
export interface CredentialDirectory {
  readonly directory: string;
  readonly authority: Authority;
  /** With a CRL only when one was asked for. */
  readonly files: CredentialFiles;
  readonly spec: FilesSpec;
  path(name: CredentialFileName): string;
  /** Replaces one file by renaming over it; keys get mode 0600. */
  write(name: CredentialFileName, content: string | Uint8Array): Promise<void>;
  /** Replaces certificate and key by new ones of the authority. */
  renew(request?: CertificateRequest): Promise<void>;
}

export interface CredentialDirectoryOptions {
  /** Default: a new one. */
  readonly authority?: Authority;
  /** Default: a node certificate for `node-1`. */
  readonly request?: CertificateRequest;
  /** Serial numbers that a CRL of the authority names. Default: no CRL. */
  readonly revoked?: readonly string[];
}

/** A directory with a good set of credentials. */
export async function makeCredentialDirectory(
  t: TestContext,
  options: CredentialDirectoryOptions = {},
): Promise<CredentialDirectory> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-credentials-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const authority = options.authority ?? (await createAuthority());
  const path = (name: CredentialFileName): string => join(directory, name);
  const write = async (name: CredentialFileName, content: string | Uint8Array): Promise<void> => {
    const temporary = `${path(name)}.tmp`;
    await writeFile(temporary, content);
    await chmod(temporary, name === 'node.key' ? 0o600 : 0o644);
    await rename(temporary, path(name));
  };
  const renew = async (request: CertificateRequest = { commonName: 'node-1', dnsNames: ['node-1'] }): Promise<void> => {
    const { certPem, keyPem } = await authority.issue(request);
    await write('node.key', keyPem);
    await write('node.pem', certPem);
  };
  await write('ca.pem', authority.anchorsPem);
  if (options.revoked !== undefined)
    await write('ca.crl', await authority.createCrl(options.revoked.map(serialNumber => ({ serialNumber }))));
  await renew(options.request);
  const files: CredentialFiles = {
    certFile: path('node.pem'),
    keyFile: path('node.key'),
    caFiles: [path('ca.pem')],
    crlFiles: options.revoked === undefined ? [] : [path('ca.crl')],
  };
  return { directory, authority, files, spec: { kind: 'files', ...files }, path, write, renew };
}
