import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { JwtIssuer } from '../../test/kit/jwt-issuer.ts';
import { MAX_KEYS, parseJwks } from './jwks-file.ts';

test('public keys of every kind are taken, and no key at all', async () => {
  const keys = await Promise.all(
    ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'].map(
      async algorithm => (await JwtIssuer.make(algorithm, algorithm)).jwk,
    ),
  );
  for (const list of [keys, keys.map(key => ({ ...key, use: 'sig', x5t: 'anything' })), []])
    assert.deepEqual(await parseJwks(JSON.stringify({ keys: list })), { jwks: { keys: list } });
});

test('everything that is wrong is found at once, and no key is quoted', async () => {
  const { jwk } = await JwtIssuer.make('k1');
  const pair = await generateKeyPair('ES256', { extractable: true });
  const secret = await exportJWK(pair.privateKey);
  const keys = [
    jwk,
    { kty: 'oct', k: 'c2VjcmV0LXNlY3JldA' },
    { ...secret, kid: 'private' },
    { ...jwk, kid: 7 },
    { ...jwk, kid: 'k4', use: 'enc' },
    { ...jwk, kid: 'k5', alg: 'HS256' },
    { ...jwk, kid: 'k6', alg: 'RS256' },
    { ...jwk, kid: 'k7', x: 'AAAA' },
    jwk,
    'text',
    {
      kty: 'RSA',
      n: 'u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u',
      e: 'AQAB',
    },
  ];
  const parsed = await parseJwks(JSON.stringify({ keys }));
  assert.ok('problems' in parsed);
  const said = parsed.problems.map(problem => problem.replace(/(used): .*/, '$1'));
  assert.deepEqual(said, [
    'keys[1] is symmetric: who verifies with it could make tokens.',
    'keys[2] is a private key: put the public one here.',
    'keys[3] has a kid that is no text.',
    'keys[4] is not for signatures: its use is another.',
    'keys[5] has an alg that is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, Ed25519, EdDSA.',
    'keys[6] is of a kind that none of the allowed algorithms uses.',
    'keys[7] cannot be used',
    'keys[8] has the kid of another key.',
    'keys[9] is no object.',
    'keys[10] has less than 2048 bits.',
  ]);
  assert.doesNotMatch(JSON.stringify(parsed), new RegExp(`c2VjcmV0|${secret.d}`));
});

test('what is no JWK set is refused', async () => {
  for (const text of ['', '[]', '{}', '{"keys":{}}', '{"keys":[', 'null'])
    assert.ok('problems' in (await parseJwks(text)), text);
  const many = Array.from({ length: MAX_KEYS + 1 }, () => ({}));
  assert.deepEqual(await parseJwks(JSON.stringify({ keys: many })), { problems: ['It holds more than 100 keys.'] });
});
