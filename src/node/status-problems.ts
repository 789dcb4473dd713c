import { describeProblem } from '../credentials/credential-problem.ts';
import type { CredentialSet } from './credential-set.ts';
import type { ExpiryWatch } from './expiry-watch.ts';
import type { NodeProblems } from './node-problems.ts';

/** What {@link statusProblems} looks at. */
export interface StatusParts {
  readonly problems: Pick<NodeProblems, 'all'>;
  readonly ownDenial: string | undefined;
  readonly credentials: Pick<CredentialSet, 'used'> & { readonly expiry: Pick<ExpiryWatch, 'expiring'> };
}

/** Usages of certificates that this node does not show. */
const NOT_OWN: ReadonlySet<string> = new Set(['ca', 'peer']);

/**
 * Why a node that serves is `degraded`, for operators; empty: it is not. It runs on files of which a newer content could
 * not be taken, or shows a certificate that others refuse.
 */
export function statusProblems({ problems, ownDenial, credentials }: StatusParts): readonly string[] {
  const ended = credentials.expiry.expiring.filter(({ usage, level }) => level === 'expired' && !NOT_OWN.has(usage));
  return [
    ...problems.all,
    ...(ownDenial === undefined ? [] : [`denied-certificates: ${ownDenial}`]),
    ...ended.map(({ usage }) => `the ${usage} certificate of this node has expired`),
    ...credentials.used.flatMap(({ store }) => store.state.value.problems.map(describeProblem)),
  ];
}
