import { loadJwksFile, loadTokenFile } from '../authentication/bearer-files.ts';
import type { BearerSettings } from '../authentication/bearer-settings.ts';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';

export interface BearerReport {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** Reads the token file and the JWK set that the settings name, as a node would that starts. */
export async function checkBearer(
  settings:
    | {
        readonly tokenFile: string | undefined;
        readonly jwt: Pick<NonNullable<BearerSettings['jwt']>, 'jwksFile'> | undefined;
      }
    | undefined,
): Promise<BearerReport> {
  const { tokenFile, jwt } = settings ?? {};
  const tokens = await check('authorization.token-file', tokenFile, loadTokenFile);
  const jwks = await check('authorization.jwt.jwks-file', jwt?.jwksFile, loadJwksFile);
  return { problems: [...tokens.problems, ...jwks.problems], warnings: [...tokens.warnings, ...jwks.warnings] };
}

async function check(
  key: string,
  file: string | undefined,
  load: (file: string) => Promise<{ readonly warnings: readonly string[] }>,
): Promise<BearerReport> {
  if (file === undefined) return { problems: [], warnings: [] };
  try {
    return { problems: [], warnings: (await load(file)).warnings };
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return { problems: error.facts.problems.map(problem => ({ ...problem, key })), warnings: [] };
  }
}
