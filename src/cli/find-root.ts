import type { RootStatus } from '../rpc/ca-messages.ts';
import { usageFailure } from './command-failure.ts';

/**
 * The one root that `wanted` means: its whole subject or common name, or the beginning of its fingerprint, with or without
 * colons.
 * @throws CommandFailure for none and for several: a call that was wrong, not an answer.
 */
export function findRoot(roots: readonly RootStatus[], wanted: string): RootStatus {
  const prefix = wanted.replaceAll(':', '').toLowerCase();
  const isPrefix = /^[0-9a-f]{4,64}$/.test(prefix);
  const found = roots.filter(
    ({ subject, fingerprintSha256 }) =>
      (subject !== '' && (subject === wanted || subject === `CN=${wanted}`)) ||
      (isPrefix && fingerprintSha256.startsWith(prefix)),
  );
  const [root, ...more] = found;
  if (root === undefined)
    throw usageFailure(
      `No member trusts a root ${JSON.stringify(wanted)}.`,
      'Give a subject of `selvedgectl ca status`, or at least 4 digits of a fingerprint.',
    );
  if (more.length > 0) {
    const fingerprints = found.map(({ fingerprintSha256 }) => fingerprintSha256.slice(0, 16)).join(', ');
    throw usageFailure(
      `${JSON.stringify(wanted)} means several roots.`,
      `Give more of one fingerprint: ${fingerprints}.`,
    );
  }
  return root;
}
