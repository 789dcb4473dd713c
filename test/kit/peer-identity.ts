import type { PeerIdentity } from '../../src/identity/peer-identity.ts';

/** Who a certificate with these names and no other would be. */
export function peerIdentity(names: Partial<PeerIdentity>): PeerIdentity {
  return {
    subject: '',
    issuer: '',
    commonName: undefined,
    commonNames: names.commonName === undefined ? [] : [names.commonName],
    dnsNames: [],
    uris: [],
    ipAddresses: [],
    spiffeId: undefined,
    fingerprint256: '0'.repeat(64),
    serialNumber: '01',
    notBefore: new Date(0),
    notAfter: new Date(1),
    ...names,
  };
}
