const LONGEST_LEAD_MS = 60_000;
/** Less than this before the end no other connection is asked for. */
const SHORTEST_LIFE_MS = 2_000;

/**
 * When another connection is to be dialled, so that it takes over before the certificate of the server ends; undefined:
 * there is no time for one. A tenth of the time that the connection has is left then, at most a minute and at least twice
 * the grace; half of it where that is less, as of a connection that was itself a renewal, to a server that has no later
 * certificate yet. Unix milliseconds.
 */
export function renewalTime(openedAtMs: number, validUntilMs: number, graceMs: number): number | undefined {
  const lifeMs = validUntilMs - openedAtMs;
  if (lifeMs < SHORTEST_LIFE_MS) return undefined;
  const leadMs = Math.max(2 * graceMs, Math.min(lifeMs / 10, LONGEST_LEAD_MS));
  return validUntilMs - Math.min(leadMs, lifeMs / 2);
}
