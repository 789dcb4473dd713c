import type { Policy } from '../../src/authorization/policy.ts';
import { readPolicy } from '../../src/authorization/read-policy.ts';
import type { PeerIdentity } from '../../src/identity/peer-identity.ts';
import type { Caller, Role } from '../../src/rpc/caller.ts';
import { peerIdentity } from './peer-identity.ts';

/** A policy that must be good. @param methods what the node serves. */
export function goodPolicy(policy: object, methods: readonly string[]): Policy {
  const reading = readPolicy(JSON.stringify(policy), 'policy.json', methods);
  if ('policy' in reading) return reading.policy;
  throw new Error(reading.problems.map(({ key, problem }) => `${key}: ${problem}`).join('\n'));
}

/** Somebody over TLS: with a certificate of these names, or with none. */
export function tlsCaller(names: Partial<PeerIdentity> | undefined, roles: readonly Role[] = ['peer']): Caller {
  const identity = names === undefined ? undefined : peerIdentity(names);
  const kind = identity === undefined ? 'tls' : 'mutual_tls';
  return {
    connectionId: 1,
    remoteAddress: '192.0.2.1:1',
    security: { kind, protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
    identity,
    roles: new Set(identity === undefined ? (['anonymous'] as const) : roles),
    bearer: undefined,
  };
}
