import type { CertificateFacts } from '../identity/certificate-facts.ts';

/** What the other side of a connection is there as. */
export type PeerUsage = 'client' | 'server';

/**
 * Whether the extended key usage lets a certificate be used so (RFC 5280 4.2.1.12): without the extension everything
 * is allowed, and `anyExtendedKeyUsage` allows it too.
 */
export function allowsUsage(facts: CertificateFacts, usage: PeerUsage): boolean {
  const usages = facts.extendedKeyUsages;
  return usages === undefined || usages.includes(OIDS[usage]) || usages.includes(ANY_EXTENDED_KEY_USAGE);
}

const OIDS: { readonly [Usage in PeerUsage]: string } = {
  client: '1.3.6.1.5.5.7.3.2',
  server: '1.3.6.1.5.5.7.3.1',
};
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';
