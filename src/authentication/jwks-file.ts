import type { JSONWebKeySet, JWK } from 'jose';
import { importJWK } from 'jose/key/import';
import { messageOf } from '../errors/selvedge-error.ts';
import { ALGORITHMS, algorithmsOf } from './jwt-algorithms.ts';

export type ParsedJwks = { readonly jwks: JSONWebKeySet } | { readonly problems: readonly string[] };

export const MAX_KEYS = 100;

/**
 * A JWK set (RFC 7517) of public keys for signatures, or everything that is wrong with it. Private and symmetric keys
 * are refused: whoever could read them here could make tokens. No key at all is a set that lets nobody in.
 */
export async function parseJwks(text: string): Promise<ParsedJwks> {
  const keys = keysIn(text);
  if (typeof keys === 'string') return { problems: [keys] };
  if (keys.length > MAX_KEYS) return { problems: [`It holds more than ${MAX_KEYS} keys.`] };
  const ids = keys.map(key => (isObject(key) ? key.kid : undefined));
  const problems = await Promise.all(
    keys.map(async (key, index) => {
      const problem = await problemOf(key);
      if (problem !== undefined) return [`keys[${index}] ${problem}`];
      const isTwice = ids[index] !== undefined && ids.indexOf(ids[index]) < index;
      return isTwice ? [`keys[${index}] has the kid of another key.`] : [];
    }),
  );
  const all = problems.flat();
  return all.length > 0 ? { problems: all } : { jwks: { keys: keys as JWK[] } };
}

/** The keys, not looked at yet, or why there are none. */
function keysIn(text: string): readonly unknown[] | string {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    // The text of the error repeats what it read.
    return 'It is not JSON.';
  }
  if (!isObject(root) || !Array.isArray(root.keys)) return 'It is no JWK set: an object with the list "keys".';
  return root.keys;
}

async function problemOf(key: unknown): Promise<string | undefined> {
  if (!isObject(key)) return 'is no object.';
  if (key.kty === 'oct' || 'k' in key) return 'is symmetric: who verifies with it could make tokens.';
  if ('d' in key || 'priv' in key) return 'is a private key: put the public one here.';
  if (key.kid !== undefined && typeof key.kid !== 'string') return 'has a kid that is no text.';
  if (key.use !== undefined && key.use !== 'sig') return 'is not for signatures: its use is another.';
  if (key.alg !== undefined && !ALGORITHMS.includes(String(key.alg)))
    return `has an alg that is none of ${ALGORITHMS.join(', ')}.`;
  const [algorithm] = algorithmsOf(key);
  if (algorithm === undefined) return 'is of a kind that none of the allowed algorithms uses.';
  try {
    const imported = await importJWK(key as JWK, algorithm);
    const modulusLength = imported instanceof Uint8Array ? undefined : Reflect.get(imported.algorithm, 'modulusLength');
    return typeof modulusLength === 'number' && modulusLength < 2_048 ? 'has less than 2048 bits.' : undefined;
  } catch (error) {
    return `cannot be used: ${messageOf(error)}.`;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
