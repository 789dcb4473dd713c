import type { CredentialsStore } from '../credentials/credentials-store.ts';
import { type DeniedCertificate, deniedBy } from '../identity/denied-certificate.ts';

/** A set of credentials in use. */
interface OwnCredentials {
  readonly usage: string;
  readonly store: Pick<CredentialsStore, 'snapshot'>;
}

/**
 * Which of its own certificates the deny list of a node names, for the operator; undefined where none. It stops nothing:
 * the list holds for others all the same, and a certificate of ours may be among those that leaked.
 */
export function ownDenial(denied: readonly DeniedCertificate[], used: readonly OwnCredentials[]): string | undefined {
  const told = used.flatMap(({ usage, store }) => {
    const { identity } = store.snapshot.value.own;
    const entry = deniedBy(denied, identity);
    return entry === undefined ? [] : [`${entry.text} is the ${usage} certificate of this node itself`];
  });
  return told.length === 0 ? undefined : `${told.join(', ')}; nodes with the same list refuse it`;
}
