import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Security } from '../rpc/security.ts';
import type { StreamFacts } from './choose-stream.ts';
import type { Welcomed } from './dial-peer.ts';
import type { Introduction } from './introduction.ts';

/** What is known of a stream when its handshake is over. */
export interface PeerStreamFacts extends StreamFacts {
  readonly security: Security;
  readonly direction: 'inbound' | 'outbound';
  readonly introduction: Introduction;
  /** The version of the stream protocol that both speak. */
  readonly protocol: number;
  /** From the verified certificate of the other side. */
  readonly identity: PeerIdentity | undefined;
  /** The inbound connection under the stream; undefined where we dialled. */
  readonly connectionId: number | undefined;
}

/** Of a stream whose Hello was taken. */
export function factsOfHello(
  introduction: Introduction,
  protocol: number,
  { security, identity, connectionId }: Caller,
  order: number,
): PeerStreamFacts {
  const { nodeName, generation } = introduction;
  return {
    direction: 'inbound',
    dialledBy: nodeName,
    generation,
    introduction,
    protocol,
    security,
    identity,
    connectionId,
    order,
  };
}

/** Of a stream that a dial brought. */
export function factsOfDial(
  { introduction, protocol, security, identity }: Welcomed,
  dialledBy: string,
  order: number,
): PeerStreamFacts {
  const { generation } = introduction;
  return {
    direction: 'outbound',
    dialledBy,
    generation,
    introduction,
    protocol,
    security,
    identity,
    connectionId: undefined,
    order,
  };
}
