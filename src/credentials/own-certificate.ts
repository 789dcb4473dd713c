import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { readCertificateFacts } from '../identity/certificate-facts.ts';
import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import { type PemBlock, splitPem, toPem } from '../identity/pem.ts';
import { allowsUsage, type PeerUsage } from './certificate-usage.ts';
import type { CredentialBytes, FileContent } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';
import { isExpired, isNotYetValid } from './validity.ts';

/** What this node shows, without its key. */
export interface OwnCertificate {
  readonly identity: PeerIdentity;
  /** The file it was read from, or what else names its place; see {@link FileContent}. */
  readonly place: string;
  /** Leaf first, then intermediates. */
  readonly chainPem: string;
  /** In the order of the file. */
  readonly intermediates: readonly PeerIdentity[];
  /** What the extended key usage of the leaf lets it be used as. */
  readonly usages: readonly PeerUsage[];
  /** SHA-256 fingerprints of the trust anchors of the same set that vouch for it; empty where none does. */
  readonly anchors: readonly string[];
}

/** The certificate file, parsed. */
export interface OwnChain {
  readonly own: Omit<OwnCertificate, 'anchors'>;
  readonly leaf: X509Certificate;
  readonly intermediates: readonly X509Certificate[];
}

/** What was found wrong or odd about one part of a set of credentials. */
export interface Findings {
  readonly problems: CredentialProblem[];
  readonly warnings: string[];
}

/** The certificate file, or undefined and a problem. What parses but could not be used adds a problem too. */
export function readOwnChain(content: FileContent, now: Date, findings: Findings): OwnChain | undefined {
  const { file } = content;
  const report = (problem: string): void => void findings.problems.push({ file, problem });
  try {
    const ders = certificateBlocksOf(content);
    const [leafDer, ...intermediateDers] = ders;
    if (leafDer === undefined) {
      report('holds no certificate in PEM form');
      return undefined;
    }
    const chain: OwnChain = {
      own: {
        identity: readPeerIdentity(leafDer),
        place: file,
        chainPem: ders.map(der => toPem('CERTIFICATE', der)).join(''),
        intermediates: intermediateDers.map(readPeerIdentity),
        usages: usagesOf(leafDer),
      },
      leaf: new X509Certificate(leafDer),
      intermediates: intermediateDers.map(der => new X509Certificate(der)),
    };
    checkValidity(chain, now, report);
    checkLeafUsage(file, leafDer, report, findings.warnings);
    return chain;
  } catch (error) {
    report(messageOf(error));
    return undefined;
  }
}

/** The private key, or undefined and a problem. A key that others than its owner can read is a warning. */
export function readPrivateKey(content: FileContent, findings: Findings): KeyObject | undefined {
  const { file, bytes, mode } = content;
  if ((mode & 0o077) !== 0)
    findings.warnings.push(`${file}: the private key is accessible to group or others (mode 0${mode.toString(8)})`);
  const problem = (text: string): undefined => void findings.problems.push({ file, problem: text });
  try {
    const blocks = splitPem(Buffer.from(bytes).toString('latin1')).filter(({ label }) => label.endsWith('PRIVATE KEY'));
    const [block] = blocks;
    if (block === undefined) return problem('holds no private key in PEM form');
    if (blocks.length > 1) return problem(`holds ${blocks.length} private keys, and which one is meant cannot be told`);
    if (block.label === 'ENCRYPTED PRIVATE KEY') return problem('the private key is encrypted, which is not supported');
    return createPrivateKey(toPem(block.label, block.der));
  } catch (error) {
    return problem(isSelvedgeError(error) ? error.message : 'the private key cannot be read');
  }
}

/** The DER of each certificate in a PEM file, in order; other blocks are passed over. */
export function certificateBlocksOf({ bytes }: FileContent): Uint8Array[] {
  return splitPem(Buffer.from(bytes).toString('latin1'))
    .filter(isCertificate)
    .map(({ der }) => der);
}

export function isCertificate({ label }: PemBlock): boolean {
  return label === 'CERTIFICATE' || label === 'X509 CERTIFICATE';
}

/** What the files of one set say together: the key belongs to the certificate. */
export function checkKeyPair(bytes: CredentialBytes, chain: OwnChain, key: KeyObject, findings: Findings): void {
  if (chain.leaf.checkPrivateKey(key)) return;
  findings.problems.push({
    file: bytes.key.file,
    problem: `the private key does not belong to the first certificate of ${bytes.cert.file}`,
  });
}

function checkValidity(chain: OwnChain, now: Date, report: (problem: string) => void): void {
  const check = (what: string, certificate: X509Certificate): void => {
    if (isExpired(certificate, now)) report(`${what} expired on ${certificate.validTo}`);
    if (isNotYetValid(certificate, now)) report(`${what} is not valid before ${certificate.validFrom}`);
  };
  check('the certificate', chain.leaf);
  for (const [index, intermediate] of chain.intermediates.entries())
    check(`the intermediate certificate ${chain.own.intermediates[index]?.subject ?? ''}`, intermediate);
}

function usagesOf(der: Uint8Array): readonly PeerUsage[] {
  const facts = readCertificateFacts(der);
  return (['server', 'client'] as const).filter(usage => allowsUsage(facts, usage));
}

function checkLeafUsage(file: string, der: Uint8Array, report: (problem: string) => void, warnings: string[]): void {
  const facts = readCertificateFacts(der);
  if (facts.isCa) report('the first certificate is that of a CA; the certificate of the node must come first');
  else if (facts.keyUsages?.includes('keyCertSign')) report('the certificate may sign certificates; peers refuse it');
  else if (facts.version !== 3) report(`the certificate is X.509 version ${facts.version}; peers refuse it`);
  if (!allowsUsage(facts, 'server'))
    warnings.push(`${file}: the extended key usage lacks serverAuth: nodes that dial this one will refuse it`);
  if (!allowsUsage(facts, 'client'))
    warnings.push(`${file}: the extended key usage lacks clientAuth: nodes that this one dials will refuse it`);
}
