import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { TOKEN_PREFIX } from '../rpc/token-name.ts';
import type { TokenEntry } from './token-file.ts';

/** A fresh token: the prefix and 256 random bits in base64url. */
export function generateToken(): string {
  return TOKEN_PREFIX + randomBytes(32).toString('base64url');
}

export function hashOfToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** The entry of a token. Looks at every entry and compares hashes in constant time. */
export function findToken(entries: readonly TokenEntry[], token: string): TokenEntry | undefined {
  const hash = hashOfToken(token);
  let found: TokenEntry | undefined;
  for (const entry of entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
  return found;
}
