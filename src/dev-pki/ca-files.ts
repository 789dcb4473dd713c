import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '../errors/selvedge-error.ts';
import { splitPem, toPem } from '../identity/pem.ts';
import { credentialsInvalid, modeOf, readPem } from './cert-files.ts';

/** Where the key of a root lies that is trusted and does not sign yet. */
export const NEXT_KEY = 'ca-next.key';

/** A root of `ca.pem`. */
export interface StoredRoot {
  readonly certificate: X509Certificate;
  readonly certPem: string;
}

/**
 * Every root that `ca.pem` of a directory holds, in its order; during a rollover there are two. Throws
 * `credentials_invalid` when it is missing, holds none, or cannot be read.
 */
export async function readRoots(directory: string): Promise<readonly [StoredRoot, ...StoredRoot[]]> {
  const file = join(directory, 'ca.pem');
  const pem = await readPem(file);
  try {
    const [first, ...others] = splitPem(pem)
      .filter(({ label }) => label === 'CERTIFICATE')
      .map(({ der }) => ({ certificate: new X509Certificate(der), certPem: toPem('CERTIFICATE', der) }));
    if (first === undefined) throw new Error('it holds no certificate');
    return [first, ...others];
  } catch (error) {
    throw credentialsInvalid(file, messageOf(error), error);
  }
}

/** The root that the key in `keyFile` belongs to; undefined when it belongs to none, cannot be read, or is not there. */
export async function rootOfKey(roots: readonly StoredRoot[], keyFile: string): Promise<StoredRoot | undefined> {
  if ((await modeOf(keyFile)) === undefined) return undefined;
  try {
    const key = createPrivateKey(await readPem(keyFile));
    return roots.find(({ certificate }) => certificate.checkPrivateKey(key));
  } catch {
    return undefined;
  }
}

/** The root that signs: the one that `ca.key` belongs to, and where it belongs to none, the first. */
export async function signingRootOf(
  directory: string,
  roots: readonly [StoredRoot, ...StoredRoot[]],
): Promise<StoredRoot> {
  return (await rootOfKey(roots, join(directory, 'ca.key'))) ?? roots[0];
}
