import { createHash } from 'node:crypto';
import type { CredentialBytes, FileContent, TrustBytes } from './credential-bytes.ts';

/** SHA-256 over a set of files and their parts in it, hexadecimal. Names and permissions do not count. */
export function contentHashOf({ cert, key, ca, crl }: CredentialBytes): string {
  return hashOf({ cert: [cert], key: [key], ca, crl });
}

/** As {@link contentHashOf}, of what peers are judged by alone: the CA files and the CRLs. */
export function trustHashOf({ ca, crl }: TrustBytes): string {
  return hashOf({ ca, crl });
}

function hashOf(parts: Readonly<Record<string, readonly FileContent[]>>): string {
  const hash = createHash('sha256');
  for (const [part, files] of Object.entries(parts))
    for (const { bytes: content, trustDomain = '' } of files)
      hash.update(`${part} ${trustDomain} ${content.length}\n`).update(content);
  return hash.digest('hex');
}
