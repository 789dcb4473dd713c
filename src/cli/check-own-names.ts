import { isWildcardHost } from '../identity/address.ts';
import { deniedBy } from '../identity/denied-certificate.ts';
import { certificateCoversHost } from '../identity/host-name.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { NodeSettings, TlsSettings } from '../node/node-settings.ts';
import { ownNameProblems } from '../node/own-names.ts';
import type { CheckedSet } from './check-credential-sets.ts';

/**
 * Whether nodes that are configured like this one would take it for a peer, as far as its certificates say. These are
 * warnings: the others may be configured otherwise.
 */
export function checkOwnNames(settings: NodeSettings, sets: readonly CheckedSet[]): string[] {
  const { tls } = settings;
  if (tls === undefined) return [];
  const identityOf = (usage: string) => sets.find(set => set.usage === usage)?.own.identity;
  const server = identityOf('server');
  return [
    ...sets.flatMap(set => denied(tls, set)),
    ...ownNameProblems(settings, { server, client: identityOf('client') }),
    ...(server === undefined ? [] : notCovered(settings, tls, server)),
  ];
}

function denied({ deniedCertificates }: TlsSettings, { usage, own }: CheckedSet): string[] {
  const entry = deniedBy(deniedCertificates, own.identity);
  if (entry === undefined) return [];
  return [
    `networking.tls.denied-certificates lists ${entry.text}, which is the ${usage} certificate of this node itself (${own.identity.subject}): nodes with the same list refuse it as certificate_revoked`,
  ];
}

/** Only where the host is what peers look at. */
function notCovered({ networking }: NodeSettings, tls: TlsSettings, server: PeerIdentity): string[] {
  if (tls.nodeIdentity !== undefined || tls.serverSubjectNames.length > 0) return [];
  const addresses = networking.advertised ?? [networking.bindAddress];
  return addresses.flatMap(address => {
    if (address.kind === 'unix' || address.scheme === 'http' || isWildcardHost(address)) return [];
    if (certificateCoversHost(server, address.host)) return [];
    return [
      `the server certificate is not for ${address.host}, which is advertised: nodes that dial it refuse it as server_identity_mismatch`,
    ];
  });
}
