import { coveringDestinations, coversDestination } from '../identity/covers-destination.ts';
import { type DestinationPattern, parseDestination } from '../identity/destination-pattern.ts';
import type { TlsProfileOptions } from './node-options.ts';
import type { TlsProfileSettings } from './node-settings.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';
import { type ResolvedCredentials, resolveCredentials } from './resolve-credentials.ts';
import { resolveNodeIdentity, resolvePatterns } from './resolve-names.ts';

/** A destination of a profile that comes before another. */
interface Claim extends DestinationPattern {
  readonly profile: string;
  readonly path: OptionPath;
}

/** Where the list of profiles stands, and what they leave out: that of dialling, and that of the node. */
export interface ProfileDefaults {
  readonly path: OptionPath;
  readonly client: ResolvedCredentials;
  readonly nodeIdentity: string | undefined;
  readonly nodeName: string | undefined;
}

const LONGEST_NAME = 32;

export function resolveProfiles(
  profiles: readonly TlsProfileOptions[],
  { path: list, client, nodeIdentity, nodeName }: ProfileDefaults,
  found: OptionProblems,
): readonly TlsProfileSettings[] {
  const claims: Claim[] = [];
  const names = new Map<string, number>();
  return profiles.map((profile, index) => {
    const path = [...list, index];
    const name = resolveName(profile.name, index, path, names, found);
    const mine = resolveDestinations([...path, 'destinations'], profile.destinations ?? [], claims, found);
    claims.push(...mine.map(claim => ({ ...claim, profile: name })));
    const proves = profileIdentity(profile.nodeIdentity, nodeIdentity, [...path, 'nodeIdentity'], nodeName, found);
    const servers = profile.serverSubjectNames;
    if (servers !== undefined && proves !== undefined)
      found.add(
        [...path, 'serverSubjectNames'],
        `Nothing would obey this: who answers at these destinations must prove the name of its node, ${proves}.`,
        'Remove it, or give this profile an empty `networking.tls.profiles.nodeIdentity`.',
      );
    return {
      name,
      destinations: mine,
      credentials: resolveCredentials(path, profile, client, found).spec,
      serverSubjectNames: servers && resolvePatterns([...path, 'serverSubjectNames'], servers, found),
      nodeIdentity: proves,
    };
  });
}

/** By default its place in the list, which a name cannot look like. */
function resolveName(
  given: string | undefined,
  index: number,
  profile: OptionPath,
  names: Map<string, number>,
  found: OptionProblems,
): string {
  if (given === undefined) return String(index + 1);
  const path = [...profile, 'name'];
  if (given.length > LONGEST_NAME || !/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(given))
    found.add(
      path,
      `"${given.slice(0, LONGEST_NAME)}" is not the name of a profile.`,
      `Use at most ${LONGEST_NAME} letters a to z, digits and hyphens, and begin with a letter.`,
    );
  const owner = names.get(given);
  if (owner !== undefined)
    found.add(path, 'An earlier profile has this name.', 'Name each profile once.', [
      [...profile.slice(0, -1), owner, 'name'],
    ]);
  names.set(given, owner ?? index);
  return given;
}

/** "" says that the names of nodes are not checked at these destinations. */
function profileIdentity(
  own: string | undefined,
  inherited: string | undefined,
  path: OptionPath,
  nodeName: string | undefined,
  found: OptionProblems,
): string | undefined {
  if (own === undefined) return inherited;
  return own === '' ? undefined : resolveNodeIdentity(own, path, nodeName, found);
}

/** The first profile that matches wins, so a destination that an earlier profile has wholly is a slip. */
function resolveDestinations(
  path: OptionPath,
  texts: readonly string[],
  claims: readonly Claim[],
  found: OptionProblems,
): readonly Omit<Claim, 'profile'>[] {
  if (texts.length === 0) {
    const remedy = 'Say which addresses it is for, such as ["https://*.blue.example:*"].';
    found.add(path, 'A profile without destinations is never used.', remedy);
  }
  const mine: Omit<Claim, 'profile'>[] = [];
  for (const [index, text] of texts.entries()) {
    const at = [...path, index];
    const destination = found.parse(at, text, parseDestination);
    if (destination === undefined) continue;
    const covering = coveringDestinations(claims, destination);
    if (covering.length > 0) neverMatches(at, text, covering, found);
    if (mine.some(other => coversDestination(other, destination) && coversDestination(destination, other)))
      found.add(at, `"${text}" stands twice in this profile.`, 'Remove one of the two.');
    mine.push({ ...destination, path: at });
  }
  return mine;
}

function neverMatches(path: OptionPath, text: string, covering: readonly Claim[], found: OptionProblems): void {
  const whose = covering.map(claim => `"${claim.text}" of profile ${claim.profile}`).join(' and ');
  found.add(
    path,
    `"${text}" can never match: the first profile that matches wins, and that is always ${whose}.`,
    'Remove one of them, or put the profile with the narrower destinations first.',
    covering.map(claim => claim.path),
  );
}
