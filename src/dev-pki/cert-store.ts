import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { isSelvedgeError, SelvedgeError } from '../errors/selvedge-error.ts';
import { type FileToWrite, writeFilesAtomic } from '../lifecycle/atomic-write.ts';
import { makeDirectory } from '../lifecycle/make-directory.ts';
import { type Authority, createAuthority, openAuthority } from './authority.ts';
import { NEXT_KEY, readRoots, signingRootOf } from './ca-files.ts';
import { credentialsInvalid, modeOf, readPem } from './cert-files.ts';
import { type CertificateRequest, CLOCK_SKEW_MS } from './issue.ts';
import {
  type AdminCertificateOptions,
  adminCertificateRequest,
  type NodeCertificateOptions,
  nodeCertificateRequest,
  trustDomainUri,
} from './node-certificate.ts';
import type { PemPair } from './signer.ts';
import { listStoredCertificates, readStoredCertificate, type StoredCertificate } from './stored-certificate.ts';

export interface InitCertStoreOptions {
  /** Stands in the root as `spiffe://{clusterName}`, and in every name issued here. */
  readonly clusterName: string;
  /** Common name of the root. Default `{clusterName} development CA`. */
  readonly commonName?: string;
  /** Default false. */
  readonly intermediate?: boolean;
  /** End of the root. Default ten years from now. */
  readonly notAfter?: Date;
  /** Replaces a CA that is there already; what it issued is no longer trusted. Default false. */
  readonly force?: boolean;
}

export interface IssueOptions {
  /** Default 90 days from now. */
  readonly notAfter?: Date;
  /** Replaces files that are there already. Default false. */
  readonly force?: boolean;
}

/** Where an issued pair lies. */
export interface IssuedFiles {
  /** What {@link CertStore.rotate} takes: `node-1`, `admin-alice`. */
  readonly name: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * A directory of PEM files made by a private CA, for development and tests: `ca.pem` and `ca.key`, `intermediate.pem`
 * and `.key` where asked for, `{node}.pem` and `.key`, `admin-{name}.pem` and `.key`. While one root takes the place of
 * another ({@link rotateCa}), `ca.pem` holds both, and `ca.key` is the key of the one that signs.
 *
 * 1. Keys have mode 0600; the directory has 0700 when it is created here.
 * 2. A file is replaced as a whole or not at all; key and certificate are replaced together.
 * 3. No file is overwritten unless that was asked for (`file_exists`).
 */
export interface CertStore {
  readonly directory: string;
  readonly clusterName: string;
  readonly authority: Authority;
  /** Throws `node_name_invalid`; `usage` for a host that is none or a node called `ca` or `intermediate`; `file_exists`. */
  issueNode(options: Omit<NodeCertificateOptions, 'clusterName'> & IssueOptions): Promise<IssuedFiles>;
  /** Throws `usage` for a name that cannot stand in a SPIFFE ID, and `file_exists`. */
  issueAdmin(options: Omit<AdminCertificateOptions, 'clusterName'> & IssueOptions): Promise<IssuedFiles>;
  /** Every certificate of the directory. See {@link listStoredCertificates}. */
  list(): Promise<StoredCertificate[]>;
  /**
   * Renews the certificate of a node or an admin: the same names, a new key, and the same time to live unless
   * `notAfter` is given. Throws `usage` for what is neither, `credentials_invalid` where there is no such file.
   */
  rotate(name: string, options?: { readonly notAfter?: Date }): Promise<IssuedFiles>;
}

/** Makes a CA in `directory`, which is created where it is missing. Throws `file_exists` and `usage`. */
export async function initCertStore(directory: string, options: InitCertStoreOptions): Promise<CertStore> {
  trustDomainUri(options.clusterName);
  if (options.force !== true) await refuseExisting(directory, ['ca', 'intermediate']);
  const authority = await createAuthority({
    commonName: options.commonName ?? `${options.clusterName} development CA`,
    trustDomain: options.clusterName,
    intermediate: options.intermediate ?? false,
    ...(options.notAfter === undefined ? {} : { notAfter: options.notAfter }),
  });
  await makeDirectory(resolve(directory), 0o700);
  const { intermediate } = authority;
  await rm(join(directory, NEXT_KEY), { force: true });
  // An intermediate of the CA before would be taken for one of this CA.
  if (intermediate === undefined) {
    for (const suffix of ['.pem', '.key']) await rm(join(directory, `intermediate${suffix}`), { force: true });
  }
  await writeFilesAtomic([
    ...(intermediate === undefined ? [] : filesOf(directory, 'intermediate', intermediate)),
    ...filesOf(directory, 'ca', authority),
  ]);
  return storeOf(directory, options.clusterName, authority);
}

/**
 * Opens what {@link initCertStore} made. Throws `credentials_invalid` when a file of the CA is missing, cannot be used, or
 * names no cluster.
 */
export async function openCertStore(directory: string): Promise<CertStore> {
  const file = join(directory, 'ca.pem');
  const { certPem } = await signingRootOf(directory, await readRoots(directory));
  const root = { certPem, keyPem: await readPem(join(directory, 'ca.key')) };
  const hasIntermediate = (await modeOf(join(directory, 'intermediate.pem'))) !== undefined;
  const intermediate = hasIntermediate ? await readPair(directory, 'intermediate') : undefined;
  const authority = await openAuthority({ ...root, ...(intermediate === undefined ? {} : { intermediate }) }).catch(
    (error: unknown) => {
      if (!isSelvedgeError(error, 'certificate_malformed')) throw error;
      throw credentialsInvalid(file, error.facts.problem);
    },
  );
  const { uris } = await readStoredCertificate(directory, 'ca');
  const clusterName = uris.map(uri => /^spiffe:\/\/([^/]+)$/.exec(uri)?.[1]).find(name => name !== undefined);
  if (clusterName === undefined)
    throw credentialsInvalid(file, 'names no cluster; a CA of `certs init` has the URI spiffe://{cluster-name}');
  return storeOf(directory, clusterName, authority);
}

function storeOf(directory: string, clusterName: string, authority: Authority): CertStore {
  const issue = async (name: string, request: CertificateRequest, { notAfter, force }: IssueOptions) => {
    if (force !== true) await refuseExisting(directory, [name]);
    const pair = await authority.issue({ ...request, ...(notAfter === undefined ? {} : { notAfter }) });
    await writeFilesAtomic(filesOf(directory, name, pair));
    return { name, certFile: join(directory, `${name}.pem`), keyFile: join(directory, `${name}.key`) };
  };
  return {
    directory,
    clusterName,
    authority,
    issueNode: async options => {
      const request = nodeCertificateRequest({ ...options, clusterName });
      if (RESERVED.has(options.nodeName)) {
        throw usageError(`${options.nodeName} is a name of files of the CA itself; give the node another name.`);
      }
      return issue(options.nodeName, request, options);
    },
    issueAdmin: async options =>
      issue(`admin-${options.adminName}`, adminCertificateRequest({ ...options, clusterName }), options),
    list: () => listStoredCertificates(directory),
    rotate: async (name, { notAfter } = {}) => {
      if (basename(name) !== name) throw usageError(`${JSON.stringify(name)} is not the name of a certificate here.`);
      const old = await readStoredCertificate(directory, name);
      if (old.kind !== 'node' && old.kind !== 'admin') {
        throw usageError(`${name}.pem is the certificate of neither a node nor an admin; only these are rotated.`);
      }
      const request: CertificateRequest = {
        commonName: old.commonName ?? [],
        dnsNames: old.dnsNames,
        uris: old.uris,
        ipAddresses: old.ipAddresses,
        usage: old.kind === 'admin' ? 'client' : 'both',
      };
      const sameLife = new Date(Date.now() - CLOCK_SKEW_MS + old.notAfter.getTime() - old.notBefore.getTime());
      return issue(name, request, { notAfter: notAfter ?? sameLife, force: true });
    },
  };
}

/** Names of files that are not those of a node. */
const RESERVED: ReadonlySet<string> = new Set(['ca', 'ca-next', 'intermediate']);

/** The key first: a reader that is woken by the certificate finds both new. */
export function filesOf(directory: string, name: string, pair: PemPair): FileToWrite[] {
  return [
    { file: join(directory, `${name}.key`), content: pair.keyPem, mode: 0o600 },
    { file: join(directory, `${name}.pem`), content: pair.certPem, mode: 0o644 },
  ];
}

async function readPair(directory: string, name: string): Promise<PemPair> {
  const certPem = await readPem(join(directory, `${name}.pem`));
  return { certPem, keyPem: await readPem(join(directory, `${name}.key`)) };
}

async function refuseExisting(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    for (const file of [join(directory, `${name}.pem`), join(directory, `${name}.key`)]) {
      if ((await modeOf(file)) !== undefined)
        throw new SelvedgeError('file_exists', `${file} is there already.`, { file });
    }
  }
}

function usageError(problem: string): SelvedgeError<'usage'> {
  return new SelvedgeError('usage', problem, { problem });
}
