import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { callerWith } from '../../test/kit/call-as.ts';
import { JWT_SETTINGS, JwtIssuer } from '../../test/kit/jwt-issuer.ts';
import { mutualTls } from '../../test/kit/loopback-node.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { until } from '../../test/kit/until.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { BearerAuthenticator } from './bearer-authenticator.ts';
import type { BearerRules } from './bearer-judge.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import { generateToken, hashOfToken } from './static-token.ts';
import type { TokenEntry } from './token-file.ts';

const METHOD = '/selvedge.control.v1.NodeControl/GetStatus';
const STRANGER: Caller = {
  ...callerWith('anonymous'),
  security: { ...mutualTls(), kind: 'tls' } as Caller['security'],
};
const PEER: Caller = { ...callerWith('peer'), security: mutualTls(), identity: peerIdentity({ commonName: 'node-1' }) };
const token = generateToken();
const issuer = await JwtIssuer.make('k1');
const verifier = new JwtVerifier(JWT_SETTINGS, { keys: [issuer.jwk] });

test('a token gives its roles, in place of anonymous and beside those of a certificate', async t => {
  const { ask } = authenticator(t, { tokens: [entry('ann', token)] });
  assert.deepEqual(await ask(STRANGER, [`Bearer ${token}`]), { bearer: 'token:ann', roles: ['admin'] });
  assert.deepEqual(await ask(PEER, [`bearer ${token}`]), { bearer: 'token:ann', roles: ['peer', 'admin'] });
});

test('a JWT gives the roles of its claims, its second use at once and for no signature', async t => {
  const { ask, authenticate } = authenticator(t, { verifier });
  const jwt = await issuer.sign({ claims: { roles: ['fabric-observer'] } });
  const first = authenticate(STRANGER, [`Bearer ${jwt}`]);
  assert.ok(first instanceof Promise);
  await first;
  assert.ok(!(authenticate(STRANGER, [`Bearer ${jwt}`]) instanceof Promise));
  assert.deepEqual(await ask(STRANGER, [`Bearer ${jwt}`]), { bearer: 'jwt:ann', roles: ['observer'] });
});

test('a JWT that gives no role leaves its bearer with none', async t => {
  const { ask } = authenticator(t, { verifier });
  const jwt = await issuer.sign({ claims: { roles: ['user'] } });
  assert.deepEqual(await ask(STRANGER, [`Bearer ${jwt}`]), { bearer: 'jwt:ann', roles: [] });
});

test('who has a certificate needs no token, who has none does', async t => {
  const { ask, authenticate, reasons } = authenticator(t, { tokens: [entry('ann', token)] });
  assert.equal(authenticate(PEER, []), PEER);
  for (const caller of [STRANGER, callerWith('anonymous')])
    assert.deepEqual(await ask(caller, []), { allowed: false, policy: 'built-in', rule: 'authentication' });
  assert.deepEqual(reasons(), ['no_credentials', 'no_credentials']);
});

test('a token that is no good is refused, even beside a certificate', async t => {
  const expired = generateToken();
  const tokens = [entry('ann', token), entry('old', expired, Date.now())];
  const values: readonly (readonly [readonly string[], string])[] = [
    [[''], 'malformed_authorization'],
    [['Basic YTpi'], 'malformed_authorization'],
    [[`Bearer ${token}`, `Bearer ${token}`], 'malformed_authorization'],
    [[`Bearer ${token}x`], 'unknown_token'],
    [[`Bearer ${expired}`], 'token_expired'],
    [[`Bearer ${await issuer.sign()}`], 'unknown_token'],
  ];
  for (const caller of [PEER, STRANGER]) {
    for (const [authorization, reason] of values) {
      const { ask, reasons } = authenticator(t, { tokens });
      assert.ok('allowed' in (await ask(caller, authorization)), authorization.join());
      assert.deepEqual(reasons(), [reason]);
    }
  }
  const { ask, reasons } = authenticator(t, { verifier });
  await ask(STRANGER, [`Bearer ${token}`]);
  assert.deepEqual(reasons(), ['unknown_token'], 'where JWTs alone are taken');
});

test('over plaintext no token is taken, not even a good one, unless that is configured', async t => {
  const plaintext = callerWith('anonymous');
  const refusing = authenticator(t, { tokens: [entry('ann', token)] });
  for (const value of [`Bearer ${token}`, 'Basic YTpi'])
    assert.ok('allowed' in (await refusing.ask(plaintext, [value])));
  assert.deepEqual(refusing.reasons(), ['plaintext_token', 'plaintext_token']);
  const careless = authenticator(t, { tokens: [entry('ann', token)], allowPlaintext: true });
  assert.deepEqual((await careless.ask(plaintext, [`Bearer ${token}`])).roles, ['admin']);
});

test('the handler never sees the token', async t => {
  const { bearers } = authenticator(t, { tokens: [entry('ann', token)] });
  const metadata = metadataOf([`Bearer ${token}`]);
  metadata.set('other', 'stays');
  await bearers.authenticate(STRANGER, METHOD, metadata);
  assert.deepEqual(metadata.getMap(), { other: 'stays' });
});

test('bad tokens of one connection are looked at ten at a time; a good one that is known passes all the same', async t => {
  const { ask, reasons } = authenticator(t, { tokens: [entry('ann', token)], verifier });
  const good = await issuer.sign();
  await ask(STRANGER, [`Bearer ${good}`]);
  for (let count = 0; count < 10; count++) await ask(STRANGER, [`Bearer bad${count}`]);
  // Another try may be gained while the machine is slow; far fewer than these.
  for (let count = 0; count < 100; count++) await ask(STRANGER, [`Bearer bad${count}`]);
  assert.ok(reasons().includes('too_many_failures'));
  assert.deepEqual((await ask(STRANGER, [`Bearer ${good}`])).roles, ['admin']);
  assert.deepEqual((await ask(STRANGER, [`Bearer ${token}`])).roles, ['admin']);
  const other = { ...STRANGER, connectionId: 2, remoteAddress: '10.0.0.2:1' };
  assert.ok('allowed' in (await ask(other, ['Bearer bad'])));
  assert.equal(reasons().at(-1), 'unknown_token', 'another connection has tries of its own');
});

test('of many refusals of one host few are a line, with how many they stand for, over however many connections', async t => {
  const { ask, log } = authenticator(t, {});
  for (let count = 0; count < 200; count++)
    await ask({ ...STRANGER, connectionId: count, remoteAddress: `10.0.0.1:${count}` }, []);
  assert.ok(log.length < 50, `${log.length} lines`);
});

test('a token holds no longer when it is removed, changed, gives less, or is given to another', async t => {
  const holds = async (next: readonly TokenEntry[] | undefined): Promise<boolean> => {
    const { rules, bearers, bearerOf } = authenticator(t, { tokens: [entry('ann', token)] });
    const bearer = await bearerOf(STRANGER, `Bearer ${token}`);
    assert.equal(bearers.holds(bearer), true);
    const { value } = bearers.epoch;
    rules.set({ ...rules.value, tokens: next });
    assert.notEqual(bearers.epoch.value, value);
    return bearers.holds(bearer);
  };
  const other = entry('bob', generateToken());
  assert.equal(await holds([other, entry('ann', token)]), true);
  assert.equal(await holds([{ ...entry('ann', token), roles: new Set(['admin', 'observer']) }]), true);
  assert.equal(await holds([other]), false);
  assert.equal(await holds([]), false);
  assert.equal(await holds(undefined), false);
  assert.equal(await holds([entry('ann', generateToken())]), false);
  assert.equal(await holds([{ ...entry('ann', token), roles: new Set(['observer']) }]), false);
  assert.equal(await holds([entry('bob', token)]), false);
  assert.equal(await holds([entry('ann', token, Date.now())]), false);
});

test('a JWT holds no longer when its key is gone', async t => {
  const { rules, bearers, bearerOf } = authenticator(t, { verifier });
  const bearer = await bearerOf(STRANGER, `Bearer ${await issuer.sign()}`);
  const other = await JwtIssuer.make('k2');
  rules.set({ ...rules.value, verifier: new JwtVerifier(JWT_SETTINGS, { keys: [issuer.jwk, other.jwk] }) });
  assert.equal(bearers.holds(bearer), true);
  rules.set({ ...rules.value, verifier: new JwtVerifier(JWT_SETTINGS, { keys: [other.jwk] }) });
  assert.equal(bearers.holds(bearer), false);
});

test('when a token expires it holds no longer, and that is told', async t => {
  const { bearers, bearerOf } = authenticator(t, { tokens: [entry('ann', token, Date.now() + 1_500)] });
  const bearer = await bearerOf(STRANGER, `Bearer ${token}`);
  const { value } = bearers.epoch;
  await until('the epoch', () => bearers.epoch.value !== value);
  assert.equal(bearers.holds(bearer), false);
});

test('no token is in a log line or a metric', async t => {
  const { ask, log, metrics } = authenticator(t, { tokens: [entry('ann', token)], verifier });
  const jwt = await issuer.sign({ claims: { aud: 'other' } });
  const sent = [token, jwt, `${token}x`];
  for (const caller of [STRANGER, PEER, callerWith('anonymous')])
    for (const each of sent) await ask(caller, [`Bearer ${each}`]);
  const said = `${JSON.stringify(log)}${await metrics.expose()}`;
  for (const each of sent) {
    assert.ok(!said.includes(each));
    assert.ok(!said.includes(hashOfToken(each).toString('hex')));
  }
  assert.ok(log.length > 0);
});

type Answer = { bearer?: string; roles?: readonly string[]; allowed?: false };

function authenticator(t: TestContext, given: Partial<BearerRules>) {
  const rules = new MutableValue<BearerRules>({
    tokens: undefined,
    verifier: undefined,
    allowPlaintext: false,
    ...given,
  });
  const log: { reason?: string }[] = [];
  const metrics = createMetrics();
  const logger = createLogger({ level: 'debug', write: line => void log.push(JSON.parse(line)) });
  const bearers = new BearerAuthenticator({ rules, logger, metrics });
  t.after(() => bearers.close());
  const authenticate = (caller: Caller, values: readonly string[]) =>
    bearers.authenticate(caller, METHOD, metadataOf(values));
  const ask = async (caller: Caller, values: readonly string[]): Promise<Answer> => {
    const answer = await authenticate(caller, values);
    if ('allowed' in answer) return answer;
    return { bearer: `${answer.bearer?.kind}:${answer.bearer?.name}`, roles: [...answer.roles] };
  };
  const bearerOf = async (caller: Caller, value: string) => {
    const answer = await authenticate(caller, [value]);
    return 'allowed' in answer || answer.bearer === undefined ? assert.fail() : answer.bearer;
  };
  return { rules, bearers, log, metrics, authenticate, ask, bearerOf, reasons: () => log.map(({ reason }) => reason) };
}

function entry(name: string, of: string, expiresAtMs = Number.POSITIVE_INFINITY): TokenEntry {
  return { name, roles: new Set(['admin']), hash: hashOfToken(of), expiresAtMs };
}

function metadataOf(values: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('authorization', value);
  return metadata;
}
