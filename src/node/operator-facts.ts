import * as grpc from '@grpc/grpc-js';
import type { NodeFacts, NodeState } from '../control/node-facts.ts';
import { formatAddress } from '../identity/address.ts';
import type { FabricListener } from '../listener/fabric-listener.ts';
import type { InboundConnection } from '../listener/inbound-connection.ts';
import type { PeerStreams } from '../messaging/peer-streams.ts';
import { inboundMessage, outboundMessage } from './connection-messages.ts';
import { membershipEditing } from './edit-membership.ts';
import { explainer } from './explain.ts';
import { clientOver } from './member-clients.ts';
import { membershipSourceMessage } from './membership-source-message.ts';
import type { NodeParts } from './node-parts.ts';
import { type ProofStandard, provenMember } from './node-proof.ts';
import type { OwnIntroduction } from './own-introduction.ts';
import { ownMembership } from './own-membership.ts';
import { statusNotices } from './status-notices.ts';
import { statusProblems } from './status-problems.ts';
import { VERSION } from './version.ts';

export interface OperatorFactsParts {
  readonly node: NodeParts;
  readonly streams: PeerStreams;
  readonly introduction: Pick<OwnIntroduction, 'addresses'>;
  readonly fabric: FabricListener;
  readonly admin: FabricListener;
  /** Paths of the methods that are served. */
  readonly served: readonly string[];
  readonly proofs: () => ProofStandard;
  readonly state: () => NodeState;
  readonly drain: () => void;
}

/** What the services that operators call may know of this node, and tell it to do. */
export function operatorFacts(parts: OperatorFactsParts): NodeFacts {
  const { node, streams, introduction, fabric, admin, served, state, drain } = parts;
  const { settings, data, credentials, connector, policies, audit, logger } = node;
  const { clusterName, nodeName, labels } = settings.value;
  const inbound = () => [...fabric.connections, ...admin.connections];
  const nodeOf = (connection: InboundConnection) => nodeAt(connection, parts);
  return {
    clusterName,
    nodeName,
    generation: data.generation,
    version: VERSION,
    startedAt: new Date(),
    labels,
    membership: () => ownMembership(node.members.membership.view.value, settings.value),
    removed: () => node.members.membership.view.value.removed,
    state,
    problems: () => statusProblems(node),
    membershipSources: () => node.members.membership.sources.map(membershipSourceMessage),
    notices: () => statusNotices(node, streams.downgrades.all),
    expiring: () => credentials.expiry.expiring,
    mode: () => settings.value.mode,
    advertisedAddresses: () => introduction.addresses.map(formatAddress),
    peers: () => streams.peers.value,
    connections: () => [
      ...inbound().map(connection => inboundMessage(connection, nodeOf(connection))),
      ...connector.connections.map(outboundMessage),
    ],
    tls: () => {
      const { tls } = settings.value;
      if (tls === undefined) return undefined;
      const { requireClientAuth, minVersion, allowedSubjectNames } = tls;
      return { requireClientAuth, minVersion, allowedSubjectNames: allowedSubjectNames.map(pattern => pattern.text) };
    },
    credentials: () => credentials.used,
    shadow: () => policies.shadow,
    explain: explainer(node, {
      inbound,
      refusals: () => fabric.refusals,
      nodeOf,
      peers: () => streams.peers.value,
      served,
    }),
    reloadTls: () => credentials.reload('admin'),
    drain,
    editMembership: membershipEditing({ editor: () => node.members.membership.editor, audit, logger }),
    askMember: name => clientOver(grpc.Client, connector.channel(name).impatient),
  };
}

/** The node at the other end: the stream over the connection says so, or else the certificate proves it. */
function nodeAt({ id, caller }: InboundConnection, { node, streams, proofs }: OperatorFactsParts): string {
  const ofStream = streams.nodeOf(id);
  if (ofStream !== undefined || caller.identity === undefined) return ofStream ?? '';
  return provenMember(node.directory.members.value, caller.identity, proofs()) ?? '';
}
