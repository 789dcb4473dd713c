import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { type CertificateRequest, type IssuedCertificate, signCertificate } from './issue.ts';
import { createRevocationList, type RevocationListOptions, type RevokedCertificate } from './revocation-list.ts';
import { openSigner, type PemPair, type Signer } from './signer.ts';

/** The PEM texts an authority consists of. */
export interface AuthorityPems extends PemPair {
  /** Signs in place of the root where it is there. */
  readonly intermediate?: PemPair;
}

/** A private certificate authority for development and tests. Its keys lie in memory, unprotected. */
export interface Authority extends AuthorityPems {
  /** Common name of the root. */
  readonly name: string;
  /** Certificate of the root. */
  readonly certPem: string;
  /** Key of the root. */
  readonly keyPem: string;
  /** What those who trust this authority put in their `ca-file`: the root alone. */
  readonly anchorsPem: string;
  /** Makes a new key and a certificate for it, signed by the intermediate where there is one. */
  issue(request: CertificateRequest): Promise<IssuedCertificate>;
  /**
   * A revocation list of whoever signs what {@link issue} makes, PEM.
   * @param options `by: 'root'` makes the root sign it instead, so that it can name the intermediate.
   */
  createCrl(
    entries: readonly RevokedCertificate[],
    options?: RevocationListOptions & { readonly by?: 'issuer' | 'root' },
  ): Promise<string>;
}

export interface AuthorityOptions {
  /** Default `Selvedge development CA`. */
  readonly commonName?: string;
  /** Whether an intermediate, with the validity of the root, issues in place of the root. Default false. */
  readonly intermediate?: boolean;
  /** Named in the root as `spiffe://{trustDomain}` (SPIFFE X509-SVID 4.1). Default none. */
  readonly trustDomain?: string;
  /** Default five minutes ago. */
  readonly notBefore?: Date;
  /** Default ten years from now. */
  readonly notAfter?: Date;
}

const TEN_YEARS_MS = 3_652 * 24 * 60 * 60 * 1_000;

/** A new authority with new ECDSA P-256 keys. */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const commonName = options.commonName ?? 'Selvedge development CA';
  const validity = {
    isCa: true,
    ...(options.notBefore === undefined ? {} : { notBefore: options.notBefore }),
    notAfter: options.notAfter ?? new Date(Date.now() + TEN_YEARS_MS),
  };
  const uris = options.trustDomain === undefined ? [] : [`spiffe://${options.trustDomain}`];
  const root = await openSigner(await signCertificate('self', { commonName, uris, ...validity }));
  return options.intermediate === true ? authorityOf(root, await newIntermediate(root)) : authorityOf(root);
}

/** The authority of a root, with a new intermediate that has the validity of the root. Throws as {@link openAuthority}. */
export async function openWithNewIntermediate(pems: PemPair): Promise<Authority> {
  const root = await openSigner(pems);
  return authorityOf(root, await newIntermediate(root));
}

async function newIntermediate(root: Signer): Promise<Signer> {
  const { notBefore, notAfter } = root.certificate;
  const commonName = `${nameOf(root)} intermediate`;
  return openSigner(await signCertificate(root, { commonName, isCa: true, notBefore, notAfter }));
}

function nameOf(root: Signer): string {
  return root.certificate.subjectName.getField('CN')[0] ?? '';
}

/**
 * An authority from what {@link createAuthority} made. Throws `certificate_malformed` when a text cannot be read, a key
 * is not an unencrypted ECDSA P-256 key, or does not belong to its certificate, or the root did not sign the intermediate.
 */
export async function openAuthority(pems: AuthorityPems): Promise<Authority> {
  const root = await openSigner(pems);
  if (pems.intermediate === undefined) return authorityOf(root);
  const intermediate = await openSigner(pems.intermediate);
  if (!new X509Certificate(intermediate.pems.certPem).verify(new X509Certificate(root.pems.certPem).publicKey)) {
    const problem = 'the intermediate is not signed by the root';
    throw new SelvedgeError('certificate_malformed', `The CA cannot sign: ${problem}`, { problem });
  }
  return authorityOf(root, intermediate);
}

function authorityOf(root: Signer, intermediate?: Signer): Authority {
  const issuer = intermediate ?? root;
  return {
    name: nameOf(root),
    certPem: root.pems.certPem,
    keyPem: root.pems.keyPem,
    ...(intermediate === undefined ? {} : { intermediate: intermediate.pems }),
    anchorsPem: root.pems.certPem,
    issue: async request => {
      const issued = await signCertificate(issuer, request);
      return { ...issued, certPem: issued.certPem + (intermediate?.pems.certPem ?? '') };
    },
    createCrl: (entries, { by = 'issuer', ...options } = {}) =>
      createRevocationList(by === 'root' ? root : issuer, entries, options),
  };
}
