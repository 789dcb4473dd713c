import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors/selvedge-error.ts';
import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import { splitPem } from '../identity/pem.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import { NEXT_KEY, readRoots, rootOfKey, signingRootOf } from './ca-files.ts';
import { credentialsInvalid, modeOf, readPem } from './cert-files.ts';

const KINDS = ['ca', 'intermediate', 'node', 'admin', 'other'] as const;
export type StoredCertificateKind = (typeof KINDS)[number];

/** What a certificate file of a directory says: its first certificate. */
export interface StoredCertificate {
  /** The file's name without `.pem`. */
  readonly name: string;
  /** Path of the certificate. */
  readonly file: string;
  /** By the file's name for a CA, else by the SPIFFE ID: `spiffe://{cluster}/fabric/...` is a node, `spiffe://{cluster}/admin/...` an admin. */
  readonly kind: StoredCertificateKind;
  /** Undefined when there is none, or several. */
  readonly commonName: string | undefined;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly ipAddresses: readonly string[];
  /** SHA-256 of the certificate: 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether its key lies beside it: `{name}.key`, or `ca-next.key` of the root that is to sign next. */
  readonly hasKey: boolean;
  /** What is wrong, one sentence each: a key others can read or of another certificate, an issuer that is not the CA here. */
  readonly problems: readonly string[];
}

/**
 * Every certificate of a directory, in the order of kinds, then by name. Files ending in `.pem` that hold no certificate are left
 * out; one that cannot be read is `credentials_invalid`. Needs no key of the CA.
 */
export async function listStoredCertificates(directory: string): Promise<StoredCertificate[]> {
  const files = await readdir(directory).catch((error: unknown) => {
    throw credentialsInvalid(directory, messageOf(error), error);
  });
  const names = files.filter(file => /^[^.].*\.pem$/.test(file)).map(file => file.slice(0, -'.pem'.length));
  const stored: StoredCertificate[] = [];
  for (const name of names) {
    const pem = await readPem(join(directory, `${name}.pem`));
    if (name === 'ca') stored.push(...(await describeRoots(directory)));
    else if (pem.includes('-----BEGIN CERTIFICATE-----')) stored.push(await describe(directory, name, pem));
  }
  return stored.sort((a, b) => rankOf(a) - rankOf(b) || (a.name < b.name ? -1 : 1));
}

/** One certificate of a directory, by its file's name without `.pem`. Throws `credentials_invalid`. */
export async function readStoredCertificate(directory: string, name: string): Promise<StoredCertificate> {
  const pem = await readPem(join(directory, `${name}.pem`));
  if (name !== 'ca') return describe(directory, name, pem);
  const { certPem } = await signingRootOf(directory, await readRoots(directory));
  return describe(directory, name, certPem);
}

/** The root that signs, then the others that are trusted. */
async function describeRoots(directory: string): Promise<StoredCertificate[]> {
  const roots = await readRoots(directory);
  const signing = await signingRootOf(directory, roots);
  const next = await rootOfKey(roots, join(directory, NEXT_KEY));
  const described = [await describe(directory, 'ca', signing.certPem)];
  for (const root of roots) {
    // ca.key is not theirs; the one that is to sign next has a key of another name.
    if (root !== signing)
      described.push({ ...(await describe(directory, 'ca', root.certPem)), hasKey: root === next, problems: [] });
  }
  return described;
}

async function describe(directory: string, name: string, pem: string): Promise<StoredCertificate> {
  const file = join(directory, `${name}.pem`);
  const { certificate, identity } = parseFirst(file, pem);
  const kind = kindOf(name, identity.spiffeId);
  const keyFile = join(directory, `${name}.key`);
  const keyMode = await modeOf(keyFile);
  return {
    name,
    file,
    kind,
    commonName: identity.commonName,
    dnsNames: identity.dnsNames,
    uris: identity.uris,
    ipAddresses: identity.ipAddresses,
    fingerprint: identity.fingerprint256,
    notBefore: identity.notBefore,
    notAfter: identity.notAfter,
    hasKey: keyMode !== undefined,
    problems: [
      ...(keyMode === undefined ? [] : await keyProblems(keyFile, keyMode, certificate)),
      ...(kind === 'node' || kind === 'admin' ? await issuerProblems(directory, certificate) : []),
    ],
  };
}

function parseFirst(file: string, pem: string): { certificate: X509Certificate; identity: PeerIdentity } {
  try {
    const der = splitPem(pem).find(block => block.label === 'CERTIFICATE')?.der;
    if (der === undefined) throw new Error('it holds no certificate');
    return { certificate: new X509Certificate(der), identity: readPeerIdentity(der) };
  } catch (error) {
    throw credentialsInvalid(file, messageOf(error), error);
  }
}

function kindOf(name: string, spiffeId: string | undefined): StoredCertificateKind {
  if (name === 'ca' || name === 'intermediate') return name;
  const path = spiffeId === undefined ? undefined : parseSpiffeId(spiffeId)?.path;
  if (path?.startsWith('/fabric/')) return 'node';
  if (path?.startsWith('/admin/')) return 'admin';
  return 'other';
}

async function keyProblems(file: string, mode: number, certificate: X509Certificate): Promise<string[]> {
  const problems: string[] = [];
  // Windows has no such bits; Node makes some up.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    problems.push(`The key is open to other users (mode ${mode.toString(8).padStart(4, '0')}); it should be 0600.`);
  }
  try {
    const key = createPrivateKey(await readPem(file));
    if (!certificate.checkPrivateKey(key)) problems.push('The key does not belong to the certificate.');
  } catch (error) {
    problems.push(`The key cannot be read: ${messageOf(error)}.`);
  }
  return problems;
}

async function issuerProblems(directory: string, certificate: X509Certificate): Promise<string[]> {
  const issuers = (await readRoots(directory)).map(root => root.certificate);
  const intermediate = join(directory, 'intermediate.pem');
  if ((await modeOf(intermediate)) !== undefined)
    issuers.push(parseFirst(intermediate, await readPem(intermediate)).certificate);
  if (issuers.some(issuer => isIssuedBy(certificate, issuer))) return [];
  return ['It was not issued by the CA of this directory.'];
}

/** Whether a certificate names an issuer and bears its signature. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function rankOf({ kind }: StoredCertificate): number {
  return KINDS.indexOf(kind);
}
