import type { CaState, CaUsage } from '../rpc/ca-messages.ts';

// So much may stand in one answer; far beyond what a node of this version tells.
const MAX_USAGES = 64;
const MAX_ROOTS = 256;
const MAX_LEAF_ROOTS = 16;
const MAX_USAGE_LENGTH = 64;
const MAX_SUBJECT_LENGTH = 1_024;
/** The last moment a `Date` knows. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * Why the answer of a member to GetCaState cannot be counted, in words that hold nothing of it; undefined where it can.
 * What a member says of itself is believed, but not in the name of another, and not more of it than it could mean.
 * @param asked the member that was asked
 */
export function whyNotCounted(state: CaState, asked: string): string | undefined {
  if (state.nodeName !== asked) return 'it answered in the name of another node';
  if (state.usages.length > MAX_USAGES) return `it tells more than ${MAX_USAGES} usages`;
  const names = new Set(state.usages.map(({ usage }) => usage));
  if (names.size < state.usages.length) return 'it tells one usage twice';
  for (const usage of state.usages) {
    const why = whyOddUsage(usage);
    if (why !== undefined) return why;
  }
  const roots = new Set(state.usages.flatMap(usage => usage.roots.map(root => root.fingerprintSha256)));
  return roots.size > MAX_ROOTS ? `it trusts more than ${MAX_ROOTS} roots` : undefined;
}

function whyOddUsage({ usage, roots, leafRoots }: CaUsage): string | undefined {
  if (usage.length > MAX_USAGE_LENGTH) return 'it tells a usage with a name that is too long';
  if (roots.length > MAX_ROOTS) return `it trusts more than ${MAX_ROOTS} roots`;
  if (leafRoots.length > MAX_LEAF_ROOTS) return `it has a certificate of more than ${MAX_LEAF_ROOTS} roots`;
  if (!leafRoots.every(isFingerprint) || !roots.every(root => isFingerprint(root.fingerprintSha256)))
    return 'it tells a root without a SHA-256 fingerprint';
  if (roots.some(({ subject }) => subject.length > MAX_SUBJECT_LENGTH))
    return 'it tells a root with a subject that is too long';
  return roots.every(({ notAfterMs }) => Math.abs(notAfterMs) <= MAX_TIME_MS)
    ? undefined
    : 'it tells a root that ends at no date';
}

function isFingerprint(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
