import type { BearerRole } from './bearer-role.ts';
import type { JwtSettings } from './jwt-settings.ts';

/** The claim of OAuth 2 that lists its values in one text (RFC 8693 4.2). */
const SPACED_CLAIM = 'scope';

/** The roles that the claims of a verified JWT give: those whose values are in the claim, letter by letter. */
export function rolesOfClaims(
  claims: Readonly<Record<string, unknown>>,
  { rolesClaim, adminValues, observerValues }: Pick<JwtSettings, 'rolesClaim' | 'adminValues' | 'observerValues'>,
): ReadonlySet<BearerRole> {
  const values = valuesOf(rolesClaim, claimOf(claims, rolesClaim));
  const roles = new Set<BearerRole>();
  if (adminValues.some(value => values.includes(value))) roles.add('admin');
  if (observerValues.some(value => values.includes(value))) roles.add('observer');
  return roles;
}

function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (!name.startsWith('/')) return Object.hasOwn(claims, name) ? claims[name] : undefined;
  const steps = name.slice(1).split('/');
  return steps.reduce<unknown>((value, step) => {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }, claims);
}

/** One text is a list of one. */
function valuesOf(name: string, claim: unknown): readonly unknown[] {
  if (typeof claim === 'string') return name === SPACED_CLAIM ? claim.split(' ') : [claim];
  return Array.isArray(claim) ? claim : [];
}
