import type { OutboundConnection } from '../connector/outbound-connections.ts';
import { knownAs, type PeerIdentity } from '../identity/peer-identity.ts';
import type { InboundConnection } from '../listener/inbound-connection.ts';
import type { Connection } from '../rpc/control-messages.ts';
import type { Security } from '../rpc/security.ts';

export function inboundMessage(connection: InboundConnection, nodeName: string): Connection {
  const { caller } = connection;
  return {
    id: connection.id,
    direction: 'inbound',
    remoteAddress: caller.remoteAddress,
    ...securityFields(caller.security),
    ...identityFields(caller.identity),
    roles: [...caller.roles],
    openedAtMs: connection.openedAt.getTime(),
    activeCalls: connection.activeCalls,
    nodeName,
  };
}

export function outboundMessage(connection: OutboundConnection): Connection {
  return {
    id: connection.id,
    direction: 'outbound',
    remoteAddress: connection.address,
    ...securityFields(connection.security),
    ...identityFields(connection.identity),
    roles: [],
    openedAtMs: connection.openedAt.getTime(),
    activeCalls: 0,
    nodeName: connection.nodeName,
  };
}

function securityFields(security: Security): Pick<Connection, 'security' | 'securityReason' | 'tlsVersion' | 'cipher'> {
  if (security.kind === 'none')
    return { security: 'none', securityReason: security.reason, tlsVersion: '', cipher: '' };
  return { security: security.kind, securityReason: '', tlsVersion: security.protocol, cipher: security.cipher };
}

function identityFields(
  identity: PeerIdentity | undefined,
): Pick<Connection, 'subject' | 'identity' | 'fingerprintSha256' | 'certificateExpiresAtMs'> {
  return {
    subject: identity?.subject ?? '',
    identity: identity === undefined ? '' : knownAs(identity),
    fingerprintSha256: identity?.fingerprint256 ?? '',
    certificateExpiresAtMs: identity?.notAfter.getTime() ?? 0,
  };
}
