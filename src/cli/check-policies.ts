import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import type { AuthorizationSettings } from '../node/node-settings.ts';
import { loadPolicy } from '../node/policy-file.ts';
import { servedMethods } from '../node/served-methods.ts';

/** What is wrong with the policy files of a daemon, which serves no application. */
export async function checkPolicies({
  policyFile,
  shadowPolicyFile,
}: Pick<AuthorizationSettings, 'policyFile' | 'shadowPolicyFile'>): Promise<readonly ConfigProblem[]> {
  const files = new Set([policyFile, shadowPolicyFile].filter(file => file !== undefined));
  const problems = await Promise.all([...files].map(problemsOf));
  return problems.flat();
}

async function problemsOf(file: string): Promise<readonly ConfigProblem[]> {
  try {
    await loadPolicy(file, servedMethods([]));
    return [];
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return error.facts.problems;
  }
}
