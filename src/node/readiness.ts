import type { NodeState } from '../control/node-facts.ts';
import type { CredentialSet } from './credential-set.ts';
import type { ExpiryWatch } from './expiry-watch.ts';
import type { NodeProblems, ProblemSource } from './node-problems.ts';
import type { Readiness } from './observability-server.ts';

/** What {@link readinessOf} looks at. */
export interface ReadinessParts {
  readonly problems: Pick<NodeProblems, 'sources'>;
  /** See `ownDenial`. */
  readonly ownDenial: string | undefined;
  readonly credentials: Pick<CredentialSet, 'used'> & { readonly expiry: Pick<ExpiryWatch, 'expiring'> };
}

/** What else there are problems of. */
const NOT_FILES: ReadonlySet<ProblemSource> = new Set(['audit', 'dns', 'etcd', 'membership']);

/**
 * The answer of `/readyz`. A node that serves is ready, also on files of which a newer content could not be taken, on a deny
 * list that names it, and on certificates that end soon, but not when it was removed from the cluster; the lines below the state say so, without a path, an address or a name of a peer:
 *
 *     degraded
 *     reload_failed server
 *     membership_frozen etcd
 *     member_removed
 *     audit_failed
 *     own_denied
 *     certificate_expiring server warning
 */
export function readinessOf(state: NodeState, { problems, ownDenial, credentials }: ReadinessParts): Readiness {
  // Everybody refuses it.
  const isRemoved = problems.sources.includes('membership');
  const stale = credentials.used.filter(({ store }) => store.state.value.problems.length > 0);
  const files = problems.sources.filter(source => !NOT_FILES.has(source));
  const failed = [...files, ...stale.map(({ usage }) => usage)];
  const expiring = credentials.expiry.expiring.filter(({ usage }) => usage !== 'peer');
  const lines = [
    state,
    ...failed.map(what => `reload_failed ${what}`),
    ...problems.sources
      .filter(source => source === 'dns' || source === 'etcd')
      .map(source => `membership_frozen ${source}`),
    ...(isRemoved ? ['member_removed'] : []),
    ...(problems.sources.includes('audit') ? ['audit_failed'] : []),
    ...(ownDenial === undefined ? [] : ['own_denied']),
    ...expiring.map(({ usage, level }) =>
      level === 'expired' ? `certificate_expired ${usage}` : `certificate_expiring ${usage} ${level}`,
    ),
  ];
  return { ready: (state === 'ready' || state === 'degraded') && !isRemoved, detail: [...new Set(lines)].join('\n') };
}
