import { compareNames } from '../identity/compare-names.ts';
import type {
  CaRoot,
  CaState,
  CaStatus,
  RootMember,
  RootObstacle,
  RootStatus,
  RootVerdict,
} from '../rpc/ca-messages.ts';
import type { Unreachable } from '../rpc/control-messages.ts';

/**
 * What this node and the members said of their roots, folded into one entry for each root, and the verdicts of a CA
 * rollover. A member that did not answer stands in the way of both. What a root is called and when it ends is taken from
 * this node's own certificates where it has it, from a member only where not.
 *
 * C1. It is safe to switch to a root when every member trusts it as server and as client, and in each profile that trusts
 *     a root that some member presents: a profile that trusts none of these dials nobody who could switch.
 * C2. It is safe to drop a root when every certificate that a member presents comes from another root that is safe to
 *     switch to, or does not come from this one. A certificate that comes from no known root may come from any.
 */
export function foldCaStates(own: CaState, answers: readonly CaState[], unreachable: readonly Unreachable[]): CaStatus {
  const sorted = [own, ...answers].map(countable).sort((a, b) => compareNames(a.nodeName, b.nodeName));
  const silent = unreachable.toSorted((a, b) => compareNames(a.nodeName, b.nodeName));
  const unknown = silent.map(({ nodeName, reason }) => ({ nodeName, reason: `did not answer: ${reason}` }));
  const presented = new Set(sorted.flatMap(state => state.usages.flatMap(usage => [...usage.leafRoots])));
  const judged = rootsOf(own, answers).map(root => ({
    root,
    toSwitch: verdictOf(sorted, unknown, state => againstSwitch(state, root.fingerprintSha256, presented)),
  }));
  const safe = new Set(judged.flatMap(({ root, toSwitch }) => (toSwitch.safe ? [root.fingerprintSha256] : [])));
  return {
    roots: judged.map(({ root, toSwitch }): RootStatus => {
      const members = membersOf(sorted, root.fingerprintSha256);
      const trusting = (matches: (usage: string) => boolean) =>
        members.filter(({ trustedAs }) => trustedAs.some(matches)).length;
      return {
        ...root,
        trustedAsServer: trusting(usage => usage === 'server'),
        trustedAsClient: trusting(usage => usage === 'client'),
        trustedByProfiles: trusting(isProfile),
        presented: members.filter(({ presentedAs }) => presentedAs.length > 0).length,
        members,
        switch: toSwitch,
        drop: verdictOf(sorted, unknown, state => againstDrop(state, root.fingerprintSha256, safe)),
      };
    }),
    members: sorted.length + silent.length,
    unknown: silent.length,
    unreachable: silent,
    addressesRedacted: false,
  };
}

/** With the fingerprints by which it is counted at hand. */
interface CountableState {
  readonly nodeName: string;
  readonly usages: readonly CountableUsage[];
}

interface CountableUsage {
  readonly usage: string;
  readonly roots: ReadonlySet<string>;
  readonly leafRoots: ReadonlySet<string>;
}

function countable({ nodeName, usages }: CaState): CountableState {
  return {
    nodeName,
    usages: usages.map(({ usage, roots, leafRoots }) => ({
      usage,
      roots: new Set(roots.map(root => root.fingerprintSha256)),
      leafRoots: new Set(leafRoots),
    })),
  };
}

/** A member tells a peer no subjects; a root that is not ours bears that of the first member that tells one. */
function rootsOf(own: CaState, answers: readonly CaState[]): CaRoot[] {
  const roots = new Map(rootsIn([own]).map(root => [root.fingerprintSha256, root]));
  const isOurs = new Set(roots.keys());
  for (const root of rootsIn(answers)) {
    const known = roots.get(root.fingerprintSha256);
    const isBetter = known?.subject === '' && !isOurs.has(root.fingerprintSha256);
    if (known === undefined || isBetter) roots.set(root.fingerprintSha256, root);
  }
  return [...roots.values()].sort(
    (a, b) => a.notAfterMs - b.notAfterMs || (a.fingerprintSha256 < b.fingerprintSha256 ? -1 : 1),
  );
}

function rootsIn(states: readonly CaState[]): readonly CaRoot[] {
  return states.flatMap(state => state.usages).flatMap(usage => usage.roots);
}

function membersOf(states: readonly CountableState[], fingerprint: string): RootMember[] {
  return states
    .map(({ nodeName, usages }) => ({
      nodeName,
      trustedAs: usages.filter(usage => usage.roots.has(fingerprint)).map(({ usage }) => usage),
      presentedAs: usages.filter(({ leafRoots }) => leafRoots.has(fingerprint)).map(({ usage }) => usage),
    }))
    .filter(({ trustedAs, presentedAs }) => trustedAs.length + presentedAs.length > 0);
}

function verdictOf(
  states: readonly CountableState[],
  unknown: readonly RootObstacle[],
  against: (state: CountableState) => string | undefined,
): RootVerdict {
  const obstacles = states.flatMap(state => {
    const reason = against(state);
    return reason === undefined ? [] : [{ nodeName: state.nodeName, reason }];
  });
  const all = [...obstacles, ...unknown];
  return { safe: all.length === 0, inTheWay: all.length, obstacles: all };
}

function againstSwitch(
  { usages }: CountableState,
  fingerprint: string,
  presented: ReadonlySet<string>,
): string | undefined {
  if (usages.length === 0) return 'has no credentials';
  const dialsMembers = ({ roots }: CountableUsage) => [...roots].some(root => presented.has(root));
  const missing = usages.filter(
    usage => !usage.roots.has(fingerprint) && (!isProfile(usage.usage) || dialsMembers(usage)),
  );
  return missing.length === 0 ? undefined : `does not trust it as ${namesOf(missing)}`;
}

function againstDrop({ usages }: CountableState, fingerprint: string, safe: ReadonlySet<string>): string | undefined {
  const bound = usages.filter(
    ({ leafRoots }) =>
      leafRoots.has(fingerprint) && ![...leafRoots].some(other => other !== fingerprint && safe.has(other)),
  );
  if (bound.length > 0) return `presents a certificate of it as ${namesOf(bound)}`;
  const lost = usages.filter(({ leafRoots }) => leafRoots.size === 0);
  return lost.length === 0 ? undefined : `presents a certificate of a root that it does not know as ${namesOf(lost)}`;
}

function isProfile(usage: string): boolean {
  return usage !== 'server' && usage !== 'client';
}

function namesOf(usages: readonly CountableUsage[]): string {
  return usages.map(({ usage }) => usage).join(', ');
}
