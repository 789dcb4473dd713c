import { type ConfigSources, formatConfigProblem, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { peekConfig } from '../config/peek-config.ts';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import type { NodeSettings } from '../node/node-settings.ts';
import { membershipCredentials } from '../node/open-etcd.ts';
import { checkAudit } from './check-audit.ts';
import { checkBearer } from './check-bearer.ts';
import { type CheckedSet, checkCredentialSets } from './check-credential-sets.ts';
import { checkMembers } from './check-members.ts';
import { checkOwnNames } from './check-own-names.ts';
import { checkPolicies } from './check-policies.ts';

/** What is found about a configuration and the files it names. */
export interface ConfigReport {
  /** Why a node would not start; empty where it would. */
  readonly problems: readonly ConfigProblem[];
  /** What is odd but stops nothing, one line each. */
  readonly warnings: readonly string[];
  /** Undefined where the configuration itself is wrong. */
  readonly settings: NodeSettings | undefined;
  /** The usable sets of credentials. */
  readonly credentials: readonly CheckedSet[];
  /** Undefined without a members file, and where it is wrong. */
  readonly memberNames: readonly string[] | undefined;
}

/**
 * Reads a configuration and everything it names, as a node would that starts. Nothing is opened or written. Every
 * mistake is found at once, also those of the files that a wrong configuration names.
 */
export async function checkConfig(sources: ConfigSources, now: Date): Promise<ConfigReport> {
  const loaded = await tryLoadConfig(sources);
  if ('problems' in loaded) {
    const problems = [...loaded.problems, ...(await problemsOfNamedFiles(sources, now))];
    return { problems, warnings: [], settings: undefined, credentials: [], memberNames: undefined };
  }

  const { settings } = loaded;
  const credentials = await checkCredentialSets(settings.tls, now, membershipCredentials(settings));
  const members = await checkMembers(settings);
  const policyProblems = await checkPolicies(settings.authorization);
  const auditProblems = await checkAudit(settings, sources.file);
  const bearer = await checkBearer(settings.authorization.bearer);
  return {
    problems: [...credentials.problems, ...members.problems, ...policyProblems, ...auditProblems, ...bearer.problems],
    warnings: [
      ...loaded.warnings.map(formatConfigProblem),
      ...loaded.masked.map(({ key, by }) => `${key} of the file is overridden by ${by}`),
      ...credentials.warnings,
      ...checkOwnNames(settings, credentials.sets),
      ...members.warnings,
      ...bearer.warnings,
    ],
    settings,
    credentials: credentials.sets,
    memberNames: members.names,
  };
}

const NO_CREDENTIALS = { problems: [], warnings: [], sets: [] } as const;

/** Of a configuration with mistakes: what is wrong with the files it names all the same. */
async function problemsOfNamedFiles({ file, env }: ConfigSources, now: Date): Promise<readonly ConfigProblem[]> {
  const { credentials, membersFile, policyFile, shadowPolicyFile, tokenFile, jwksFile } = peekConfig(file, env);
  const policyProblems = await checkPolicies({ policyFile, shadowPolicyFile });
  const bearer = await checkBearer({ tokenFile, jwt: jwksFile === undefined ? undefined : { jwksFile } });
  const { problems } =
    credentials === undefined
      ? NO_CREDENTIALS
      : await checkCredentialSets(
          { serverCredentials: credentials, clientCredentials: credentials, profiles: [] },
          now,
        );
  if (membersFile === undefined) return [...problems, ...policyProblems, ...bearer.problems];
  // Of the members only what holds for every node: whether this one could reach them depends on the mistakes.
  const members = await checkMembers({
    membership: { sources: [{ kind: 'file', membersFile }] },
    mode: 'plain',
    nodeName: '',
    tls: undefined,
  });
  return [...problems, ...members.problems, ...policyProblems, ...bearer.problems];
}

async function tryLoadConfig(sources: ConfigSources): Promise<LoadedConfig | { problems: readonly ConfigProblem[] }> {
  try {
    return await loadConfig(sources);
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return { problems: error.facts.problems };
  }
}
