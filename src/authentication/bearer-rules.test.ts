import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { JWT_SETTINGS, JwtIssuer } from '../../test/kit/jwt-issuer.ts';
import { until } from '../../test/kit/until.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { WatchedBearerRules } from './bearer-rules.ts';
import { generateToken, hashOfToken } from './static-token.ts';
import { formatToken } from './token-file.ts';

test('the token file is followed: taken as a whole, and the last good one stays', async t => {
  const { rules, path, write, problems, log } = await watched(t);
  await write('tokens', line('ann'));
  await rules.commit(await rules.prepare({ tokenFile: path('tokens'), jwt: undefined, allowPlaintext: false }));
  const names = () => rules.rules.value.tokens?.map(({ name }) => name);
  assert.deepEqual(names(), ['ann']);

  await write('tokens', `${line('ann')}${line('bob')}`);
  await until('bob', () => names()?.length === 2);
  await write('tokens', `${line('eve')}bob root sha256:0\n`);
  await until('the problem', () => problems.get('tokens') !== undefined);
  assert.deepEqual(names(), ['ann', 'bob']);
  assert.match(problems.get('tokens') ?? '', /tokens:2: /);
  assert.ok(log.some(({ event }) => event === 'authentication.reload_failed'));
  await rm(path('tokens'));
  await until('the file is missing', () => problems.get('tokens')?.includes('missing') === true);
  assert.deepEqual(names(), ['ann', 'bob']);
  await write('tokens', '# nobody\n');
  await until('nobody', () => names()?.length === 0);
  assert.equal(problems.get('tokens'), undefined);
  assert.ok(log.some(({ problem }) => /holds no token/.test(String(problem))));
});

test('when the line of the last token is removed, and the file is empty, that token holds no longer', async t => {
  const { rules, path, write, problems } = await watched(t);
  await write('tokens', line('ann'));
  await rules.commit(await rules.prepare({ tokenFile: path('tokens'), jwt: undefined, allowPlaintext: false }));
  assert.equal(rules.rules.value.tokens?.length, 1);
  await write('tokens', '');
  await until('nobody', () => rules.rules.value.tokens?.length === 0);
  assert.equal(problems.get('tokens'), undefined);
});

test('other keys are another verifier; other tokens leave it, with what it knows', async t => {
  const { rules, path, write } = await watched(t);
  const [first, second] = [await JwtIssuer.make('k1'), await JwtIssuer.make('k2')];
  await write('tokens', line('ann'));
  await write('jwks', JSON.stringify({ keys: [first.jwk] }));
  const jwt = { ...JWT_SETTINGS, jwksFile: path('jwks') };
  await rules.commit(await rules.prepare({ tokenFile: path('tokens'), jwt, allowPlaintext: false }));
  const { verifier } = rules.rules.value;
  assert.ok('subject' in ((await verifier?.verify(await first.sign(), Date.now())) ?? {}));

  await write('tokens', line('bob'));
  await until('bob', () => rules.rules.value.tokens?.[0]?.name === 'bob');
  assert.equal(rules.rules.value.verifier, verifier);
  await write('jwks', JSON.stringify({ keys: [second.jwk] }));
  await until('another verifier', () => rules.rules.value.verifier !== verifier);
  const verdict = await rules.rules.value.verifier?.verify(await first.sign(), Date.now());
  assert.deepEqual(verdict, { failure: 'jwt_unknown_key' });
});

test('settings are taken as a whole or not at all', async t => {
  const { rules, path, write } = await watched(t);
  await write('tokens', line('ann'));
  const settings = { tokenFile: path('tokens'), jwt: undefined, allowPlaintext: false };
  const prepared = await rules.prepare(settings);
  assert.equal(rules.rules.value.tokens, undefined, 'prepared is not taken');
  await rules.commit(prepared);
  const before = rules.rules.value;
  const broken = { ...settings, jwt: { ...JWT_SETTINGS, jwksFile: path('missing') } };
  await assert.rejects(rules.prepare(broken), error => isSelvedgeError(error, 'config_invalid'));
  assert.equal(rules.rules.value, before);
  assert.equal(await rules.prepare({ ...settings }), prepared, 'the same settings open nothing anew');
  await rules.commit(await rules.prepare(undefined));
  assert.deepEqual(rules.rules.value, { tokens: undefined, verifier: undefined, allowPlaintext: false });
});

test('a token file that others can read is said', async t => {
  const { rules, path, write, log } = await watched(t);
  await write('tokens', line('ann'));
  await chmod(path('tokens'), 0o644);
  await rules.commit(await rules.prepare({ tokenFile: path('tokens'), jwt: undefined, allowPlaintext: false }));
  assert.ok(log.some(({ problem }) => /accessible to group or others \(mode 0644\)/.test(String(problem))));
});

async function watched(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-bearer-'));
  const path = (name: string) => join(directory, name);
  const problems = new Map<string, string | undefined>();
  const log: { event: string; problem?: unknown }[] = [];
  const rules = new WatchedBearerRules({
    logger: createLogger({ write: each => void log.push(JSON.parse(each)) }),
    metrics: createMetrics(),
    onProblem: (file, problem) => void problems.set(file, problem),
  });
  t.after(async () => {
    await rules.close();
    await rm(directory, { recursive: true });
  });
  const write = (name: string, text: string) => writeFile(path(name), text, { mode: 0o600 });
  return { rules, path, write, problems, log };
}

function line(name: string): string {
  const hash = hashOfToken(generateToken());
  return `${formatToken({ name, roles: new Set(['admin']), hash, expiresAtMs: Number.POSITIVE_INFINITY })}\n`;
}
