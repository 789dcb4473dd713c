import { resolve } from 'node:path';
import type { BearerSettings } from '../authentication/bearer-settings.ts';
import type { JwtSettings } from '../authentication/jwt-settings.ts';
import {
  AUTH_METHODS,
  type AuthMethod,
  type AuthorizationOptions,
  type JwtOptions,
  type TlsMode,
} from './node-options.ts';
import type { OptionProblems } from './option-problems.ts';

const AT = ['authorization'];
const MAX_CLOCK_SKEW_MS = 600_000;

/** Undefined where certificates alone say who is who. What is configured and not in `auth` is a problem, and the reverse. */
export function resolveBearer(
  options: AuthorizationOptions,
  mode: TlsMode | undefined,
  found: OptionProblems,
): BearerSettings | undefined {
  const { auth = ['mtls'], tokenFile, jwt, insecureAllowPlaintextTokens: allowPlaintext = false } = options;
  const methods = new Set(
    auth.flatMap((method, index) => found.oneOf([...AT, 'auth', index], method, AUTH_METHODS) ?? []),
  );
  if (auth.length === 0)
    found.add([...AT, 'auth'], 'This is empty.', `Use ${AUTH_METHODS.map(word => `"${word}"`).join(', ')}.`);
  if (!methods.has('mtls')) refuseLists(options, found);
  refuseUnused('tokenFile', tokenFile, 'token', methods, found);
  refuseUnused('jwt', jwt, 'jwt', methods, found);
  const takesBearers = methods.has('token') || methods.has('jwt');
  if (allowPlaintext && !takesBearers) {
    const problem = 'No bearer token is taken: neither "token" nor "jwt" is in `authorization.auth`.';
    found.add([...AT, 'insecureAllowPlaintextTokens'], problem, 'Remove it: nothing would obey it.');
  }
  if (allowPlaintext && takesBearers)
    found.warn(
      [...AT, 'insecureAllowPlaintextTokens'],
      'Whoever reads along can use every token that is sent in plaintext.',
    );
  if (takesBearers && mode === 'plain' && !allowPlaintext)
    found.warn([...AT, 'auth'], 'Bearer tokens are taken over TLS alone, which the mode plain does not speak.');
  return takesBearers
    ? {
        tokenFile: methods.has('token')
          ? resolveFile(['tokenFile'], tokenFile, 'which file lists the tokens', found)
          : undefined,
        jwt: methods.has('jwt') ? resolveJwt(jwt, found) : undefined,
        allowPlaintext,
      }
    : undefined;
}

function refuseLists(options: AuthorizationOptions, found: OptionProblems): void {
  for (const list of ['adminSubjectNames', 'observerSubjectNames'] as const) {
    if ((options[list] ?? []).length === 0) continue;
    const problem = 'Certificates give no such role: "mtls" is not in `authorization.auth`.';
    found.add([...AT, list], problem, 'Add "mtls" there, or remove this list.');
  }
}

function refuseUnused(
  option: 'tokenFile' | 'jwt',
  given: unknown,
  method: AuthMethod,
  methods: ReadonlySet<AuthMethod>,
  found: OptionProblems,
): void {
  if (given === undefined || methods.has(method)) return;
  const problem = `Nothing uses it: "${method}" is not in \`authorization.auth\`.`;
  found.add([...AT, option], problem, `Add "${method}" there, or remove this.`);
}

function resolveFile(
  path: readonly string[],
  file: string | undefined,
  meaning: string,
  found: OptionProblems,
): string {
  return resolve(found.required([...AT, ...path], file, meaning));
}

function resolveJwt(jwt: Partial<JwtOptions> | undefined, found: OptionProblems): JwtSettings | undefined {
  const at = [...AT, 'jwt'];
  if (jwt === undefined) {
    found.add(at, 'This is missing.', 'Say who makes the JWTs: `authorization.jwt.issuer` and the options beside it.');
    return undefined;
  }
  const { audiences = [], clockSkewMs = 30_000, rolesClaim = 'roles', adminValues = [], observerValues = [] } = jwt;
  if (audiences.length === 0)
    found.add([...at, 'audiences'], 'This is missing.', 'Say whom the JWTs are for, such as "selvedge".');
  for (const [index, audience] of audiences.entries())
    found.required([...at, 'audiences', index], audience, 'whom the JWTs are for');
  if (clockSkewMs > MAX_CLOCK_SKEW_MS)
    found.add([...at, 'clockSkewMs'], 'This is more than 10m.', 'Set the clocks right.');
  if (adminValues.length + observerValues.length === 0) {
    const remedy = 'List the values that give a role, such as ["selvedge-admin"].';
    found.add(
      [...at, 'adminValues'],
      'No JWT could give a role: this and `authorization.jwt.observerValues` are empty.',
      remedy,
    );
  }
  for (const list of ['adminValues', 'observerValues'] as const)
    for (const [index, value] of (jwt[list] ?? []).entries())
      found.required([...at, list, index], value, 'a value of the claim');
  return {
    issuer: found.required([...at, 'issuer'], jwt.issuer, 'exactly what the claim iss is'),
    audiences,
    jwksFile: resolveFile(['jwt', 'jwksFile'], jwt.jwksFile, 'which file holds the public keys', found),
    clockSkewMs: found.durationMs([...at, 'clockSkewMs'], clockSkewMs),
    rolesClaim: found.required([...at, 'rolesClaim'], rolesClaim, 'the name of a claim'),
    adminValues,
    observerValues,
  };
}
