import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorizationOptions, TlsMode } from './node-options.ts';
import { OptionProblems } from './option-problems.ts';
import { resolveBearer } from './resolve-bearer.ts';

const JWT = { issuer: 'https://i.example', audiences: ['selvedge'], jwksFile: '/jwks.json', adminValues: ['root'] };

test('certificates alone are the default', () => {
  assert.deepEqual(resolved({}), { settings: undefined, problems: [], warnings: [] });
  assert.deepEqual(resolved({ auth: ['mtls'], adminSubjectNames: ['cn:a'] }).problems, []);
});

test('tokens and JWTs become settings, with every default', () => {
  const { settings, problems } = resolved({ auth: ['token', 'jwt'], tokenFile: '/tokens', jwt: JWT });
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, {
    tokenFile: '/tokens',
    allowPlaintext: false,
    jwt: {
      issuer: 'https://i.example',
      audiences: ['selvedge'],
      jwksFile: '/jwks.json',
      clockSkewMs: 30_000,
      rolesClaim: 'roles',
      adminValues: ['root'],
      observerValues: [],
    },
  });
});

test('what is configured and not in auth is a problem, and the reverse', () => {
  const cases: readonly (readonly [AuthorizationOptions, readonly string[]])[] = [
    [{ auth: [] }, ['authorization.auth']],
    [{ auth: ['mTLS' as never] }, ['authorization.auth.0']],
    [{ auth: ['token'] }, ['authorization.tokenFile']],
    [{ auth: ['token'], tokenFile: ' ' }, ['authorization.tokenFile']],
    [{ auth: ['jwt'] }, ['authorization.jwt']],
    [{ tokenFile: '/tokens' }, ['authorization.tokenFile']],
    [{ jwt: JWT }, ['authorization.jwt']],
    [{ insecureAllowPlaintextTokens: true }, ['authorization.insecureAllowPlaintextTokens']],
    [
      { auth: ['token'], tokenFile: '/t', adminSubjectNames: ['cn:a'], observerSubjectNames: ['cn:b'] },
      ['authorization.adminSubjectNames', 'authorization.observerSubjectNames'],
    ],
    [
      { auth: ['jwt'], jwt: {} as never },
      [
        'authorization.jwt.audiences',
        'authorization.jwt.adminValues',
        'authorization.jwt.issuer',
        'authorization.jwt.jwksFile',
      ],
    ],
    [{ auth: ['jwt'], jwt: { ...JWT, clockSkewMs: 600_001 } }, ['authorization.jwt.clockSkewMs']],
    [
      { auth: ['jwt'], jwt: { ...JWT, adminValues: [''], rolesClaim: '' } },
      ['authorization.jwt.adminValues.0', 'authorization.jwt.rolesClaim'],
    ],
  ];
  for (const [options, places] of cases) assert.deepEqual(resolved(options).problems, places, JSON.stringify(options));
});

test('tokens that could never be used, and those that everybody can read, are a warning', () => {
  const token = { auth: ['token'], tokenFile: '/t' } as const;
  assert.deepEqual(resolved(token, 'plain').warnings, ['authorization.auth']);
  assert.deepEqual(resolved(token, 'optional').warnings, []);
  const careless = { ...token, insecureAllowPlaintextTokens: true };
  assert.deepEqual(resolved(careless, 'plain').warnings, ['authorization.insecureAllowPlaintextTokens']);
  assert.equal(resolved(careless, 'plain').settings?.allowPlaintext, true);
});

function resolved(options: AuthorizationOptions, mode: TlsMode = 'strict') {
  const found = new OptionProblems();
  const settings = resolveBearer(options, mode, found);
  const places = (list: typeof found.problems) => list.map(({ path }) => path.join('.'));
  return { settings, problems: places(found.problems), warnings: places(found.warnings) };
}
