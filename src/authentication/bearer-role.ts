/** The roles that a bearer token can give. Never `peer`: a node is who its certificate says. */
export const BEARER_ROLES = ['admin', 'observer'] as const;
export type BearerRole = (typeof BEARER_ROLES)[number];

export function isBearerRole(text: string): text is BearerRole {
  return (BEARER_ROLES as readonly string[]).includes(text);
}
