/** Signatures with a public key (RFC 7518, 8037, 9864): never `none`, never a shared secret. */
export const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'EdDSA',
];

const OF_CURVE: Readonly<Record<string, readonly string[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['Ed25519', 'EdDSA'],
};

/** Those that a key can be used with: the one it names, else those of its kind. Empty: it is of no use here. */
export function algorithmsOf(key: {
  readonly kty?: unknown;
  readonly crv?: unknown;
  readonly alg?: unknown;
}): readonly string[] {
  const ofKind =
    key.kty === 'RSA'
      ? ALGORITHMS.filter(algorithm => /^[RP]S/.test(algorithm))
      : (OF_CURVE[typeof key.crv === 'string' ? key.crv : ''] ?? []);
  return key.alg === undefined ? ofKind : ofKind.filter(algorithm => algorithm === key.alg);
}
