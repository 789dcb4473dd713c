import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../errors/selvedge-error.ts';
import { type PemBlock, splitPem, toPem } from '../identity/pem.ts';
import { type CredentialBytes, FileContent } from './credential-bytes.ts';
import { isCertificate } from './own-certificate.ts';

/**
 * Certificate chain and key of a PEM file that holds both, in any order: the certificate that fits the key comes first,
 * then its issuers. Other blocks, such as DH parameters, are passed over. Or what is wrong, without a byte of it.
 */
export function splitBundle({ file, mode, bytes }: FileContent): Pick<CredentialBytes, 'cert' | 'key'> | string {
  let blocks: readonly PemBlock[];
  try {
    blocks = splitPem(Buffer.from(bytes).toString('latin1'));
  } catch (error) {
    return messageOf(error);
  }
  const [key, ...otherKeys] = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const certificates = blocks.filter(isCertificate);
  if (key === undefined)
    return 'holds no private key in PEM form; a bundle has its certificates and their key in one file';
  if (otherKeys.length > 0) return `holds ${otherKeys.length + 1} private keys, and which one is meant cannot be told`;
  if (certificates.length === 0) return 'holds no certificate in PEM form, only a private key';
  const part = (pem: string): FileContent => new FileContent(file, mode, Buffer.from(pem));
  const chain = leafFirst(certificates, key).map(({ der }) => toPem('CERTIFICATE', der));
  return { cert: part(chain.join('')), key: part(toPem(key.label, key.der)) };
}

/** As they stand where they cannot be ordered: what is wrong with them is found where each part is judged. */
function leafFirst(blocks: readonly PemBlock[], key: PemBlock): readonly PemBlock[] {
  try {
    const privateKey = createPrivateKey(toPem(key.label, key.der));
    const rest = blocks.map(block => ({ block, certificate: new X509Certificate(block.der) }));
    const ordered: typeof rest = [];
    let next = rest.findIndex(({ certificate }) => certificate.checkPrivateKey(privateKey));
    while (next >= 0) {
      const [found] = rest.splice(next, 1);
      if (found === undefined) break;
      ordered.push(found);
      next = rest.findIndex(({ certificate }) => found.certificate.checkIssued(certificate));
    }
    return [...ordered, ...rest].map(({ block }) => block);
  } catch {
    return blocks;
  }
}
