import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import type { JWK } from 'jose';
import { JWT_SETTINGS, JwtIssuer } from '../../test/kit/jwt-issuer.ts';
import { JwtVerifier, looksLikeJwt } from './jwt-verifier.ts';

const issuer = await JwtIssuer.make('k1');
const verifier = new JwtVerifier(JWT_SETTINGS, { keys: [issuer.jwk] });
const seconds = (fromNow: number) => Math.floor(Date.now() / 1_000) + fromNow;

test('a good JWT says who bears it, with which roles, until when', async () => {
  const exp = seconds(60);
  const verified = await verifier.verify(await issuer.sign({ claims: { exp } }), Date.now());
  assert.ok('subject' in verified);
  assert.deepEqual(
    [verified.subject, [...verified.roles], verified.expiresAtMs],
    ['ann', ['admin'], exp * 1_000 + 30_000],
  );
});

test('each algorithm with a public key is taken', async () => {
  for (const algorithm of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']) {
    const other = await JwtIssuer.make('k', algorithm);
    const verdict = await new JwtVerifier(JWT_SETTINGS, { keys: [other.jwk] }).verify(await other.sign(), Date.now());
    assert.ok('subject' in verdict, `${algorithm} ${JSON.stringify(verdict)}`);
  }
});

test('a JWT that is no good is refused, each for its reason', async () => {
  const stranger = await JwtIssuer.make('k1');
  const unknown = await JwtIssuer.make('k2');
  const good = await issuer.sign();
  const [header = '', payload = '', signature = ''] = good.split('.');
  const forged = encode({ alg: 'ES256', kid: 'k1' });
  const cases: readonly (readonly [string, string, string])[] = [
    ['expired', await issuer.sign({ claims: { exp: seconds(-31) } }), 'token_expired'],
    ['not valid yet', await issuer.sign({ claims: { nbf: seconds(60) } }), 'token_not_yet_valid'],
    ['no exp', await issuer.sign({ without: 'exp' }), 'jwt_missing_claim'],
    ['no sub', await issuer.sign({ without: 'sub' }), 'jwt_missing_claim'],
    ['an empty sub', await issuer.sign({ claims: { sub: '' } }), 'jwt_missing_claim'],
    ['no aud', await issuer.sign({ without: 'aud' }), 'jwt_missing_claim'],
    ['no iss', await issuer.sign({ without: 'iss' }), 'jwt_missing_claim'],
    ['another audience', await issuer.sign({ claims: { aud: ['other', 'selvedge2'] } }), 'jwt_wrong_audience'],
    ['another issuer', await issuer.sign({ claims: { iss: 'https://issuer.example/' } }), 'jwt_wrong_issuer'],
    ['another key of the same name', await stranger.sign(), 'jwt_bad_signature'],
    ['an unknown key', await unknown.sign(), 'jwt_unknown_key'],
    [
      'an exp that is a text',
      await issuer.sign({ claims: { exp: String(seconds(60)) as unknown as number } }),
      'jwt_missing_claim',
    ],
    ['the type of something else', await issuer.sign({ header: { typ: 'dpop+jwt' } }), 'jwt_type_not_allowed'],
    [
      'an unknown critical header',
      await issuer
        .sign()
        .then(() => `${encode({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })}.${payload}.${signature}`),
      'jwt_algorithm_not_allowed',
    ],
    ['none', `${encode({ alg: 'none' })}.${payload}.`, 'jwt_algorithm_not_allowed'],
    ['None', `${encode({ alg: 'None' })}.${payload}.`, 'jwt_algorithm_not_allowed'],
    ['HS256 with the public key as the secret', hs256(issuer.jwk, payload), 'jwt_algorithm_not_allowed'],
    ['another payload', `${header}.${encode({ sub: 'eve' })}.${signature}`, 'jwt_bad_signature'],
    ['another header', `${forged}.${payload}.${signature}`, 'jwt_bad_signature'],
    ['no signature', `${header}.${payload}.`, 'jwt_bad_signature'],
    ['no JSON', 'a.b.c', 'jwt_malformed'],
  ];
  for (const [what, token, failure] of cases)
    assert.deepEqual(await verifier.verify(token, Date.now()), { failure }, what);
});

test('types that are for calls are taken, and none at all', async () => {
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined]) {
    const verdict = await verifier.verify(await issuer.sign({ header: { typ } }), Date.now());
    assert.ok('subject' in verdict, String(typ));
  }
});

test('clocks may differ by the skew, and no more', async () => {
  const token = await issuer.sign({ claims: { exp: seconds(-20) } });
  assert.ok('subject' in (await verifier.verify(token, Date.now())));
  assert.deepEqual(await verifier.verify(token, Date.now() + 11_000), { failure: 'token_expired' });
});

test('a token that was good is known until it expires; a bad one never is', async () => {
  const exp = seconds(60);
  const token = await issuer.sign({ claims: { exp } });
  const fresh = new JwtVerifier(JWT_SETTINGS, { keys: [issuer.jwk] });
  assert.equal(fresh.known(token, Date.now()), undefined);
  const verified = await fresh.verify(token, Date.now());
  assert.equal(fresh.known(token, Date.now()), verified);
  assert.equal(fresh.known(token, exp * 1_000 + 29_999), verified);
  assert.equal(fresh.known(token, exp * 1_000 + 30_000), undefined);
  const bad = `${token.slice(0, -4)}AAAA`;
  await fresh.verify(bad, Date.now());
  assert.equal(fresh.known(bad, Date.now()), undefined);
});

test('another verifier vouches for what was found good while the settings are the same and the key is there', async () => {
  const other = await JwtIssuer.make('k2');
  const verified = await verifier.verify(await issuer.sign(), Date.now());
  assert.ok('subject' in verified);
  const vouches = (settings: typeof JWT_SETTINGS, keys: readonly JWK[]) =>
    new JwtVerifier(settings, { keys: [...keys] }).vouchesFor(verified, verifier);
  assert.equal(verifier.vouchesFor(verified, verifier), true);
  assert.equal(vouches({ ...JWT_SETTINGS }, [other.jwk, issuer.jwk]), true);
  assert.equal(vouches(JWT_SETTINGS, [other.jwk]), false);
  assert.equal(vouches(JWT_SETTINGS, [{ ...other.jwk, kid: 'k1' }]), false);
  assert.equal(vouches({ ...JWT_SETTINGS, audiences: ['else'] }, [issuer.jwk]), false);
});

test('what looks like a JWT has three parts', async () => {
  assert.ok(looksLikeJwt(await issuer.sign()));
  assert.ok(looksLikeJwt('a.b.'));
  for (const text of ['a', 'a.b', 'a.b.c.d', '.b.c', 'a..c', 'selvedge_x'])
    assert.equal(looksLikeJwt(text), false, text);
});

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function hs256(jwk: JWK, payload: string): string {
  const secret = createPublicKey({ key: jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const signed = `${encode({ alg: 'HS256', kid: 'k1', typ: 'JWT' })}.${payload}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
