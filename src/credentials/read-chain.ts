import { SelvedgeError } from '../errors/selvedge-error.ts';
import { splitPem } from '../identity/pem.ts';
import type { PeerChain } from './peer-chain.ts';

/**
 * A chain as it lies in a file: PEM, leaf first and then intermediates, or the DER of one certificate. Other blocks of
 * the PEM text are passed over.
 * @throws certificate_malformed for PEM that is damaged or holds no certificate.
 */
export function readChain(content: Uint8Array): PeerChain {
  const text = Buffer.from(content).toString('latin1');
  if (!text.includes('-----BEGIN ')) return { leafDer: content, chain: [], authorizationError: undefined };
  const [leafDer, ...chain] = splitPem(text).flatMap(({ label, der }) =>
    label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' ? [der] : [],
  );
  if (leafDer === undefined) {
    const problem = 'the file holds no certificate';
    throw new SelvedgeError('certificate_malformed', problem, { problem });
  }
  return { leafDer, chain, authorizationError: undefined };
}
