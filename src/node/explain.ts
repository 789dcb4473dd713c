import { type ExplainQuestion, type ExplainSubject, parseExplainRequest } from '../control/explain-question.ts';
import { readChain } from '../credentials/read-chain.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { InboundConnection } from '../listener/inbound-connection.ts';
import type { RefusedCertificate } from '../listener/recent-refusals.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import type { Caller } from '../rpc/caller.ts';
import type { ExplainRequest, ExplainResponse, Explanation } from '../rpc/explain-messages.ts';
import { lackingCredentials } from './authenticate-calls.ts';
import { type CallStandards, type ExplainCalls, explainCallsUnder } from './explain-calls.ts';
import { type ClientStandard, clientWith, type ExplainedClient, explainClient } from './explain-client.ts';
import { explainOutbound, explainUnconnected } from './explain-outbound.ts';
import { explainToken } from './explain-token.ts';
import type { NodeParts } from './node-parts.ts';
import { provenMembers } from './node-proof.ts';
import type { NodeSettings } from './node-settings.ts';
import { admitUnder, roleListsOf } from './policies.ts';
import { loadPolicy } from './policy-file.ts';
import { servedMethods } from './served-methods.ts';

/** What only a running node knows. */
export interface LivePeers {
  readonly inbound: () => readonly InboundConnection[];
  readonly refusals: () => readonly RefusedCertificate[];
  readonly nodeOf: (connection: InboundConnection) => string;
  readonly peers: () => readonly PeerEntry[];
  /** Paths of the methods that are served. */
  readonly served: readonly string[];
}

/** A peer may hold as many connections as it likes. */
const MAX_CONNECTIONS = 8;
const MAX_REFUSALS = 16;
const MAX_PROVEN_NODES = 16;

/** What a node with these settings decides on calls by, without services of an application. @throws config_invalid */
export async function callStandardsOf({ mode, authorization }: NodeSettings): Promise<CallStandards> {
  const { policyFile, shadowPolicyFile } = authorization;
  const served = servedMethods([]);
  const strict = mode === 'strict';
  const policyOf = async (file: string | undefined) => (file === undefined ? undefined : loadPolicy(file, served));
  const shadow = await policyOf(shadowPolicyFile);
  return {
    enforced: { policy: await policyOf(policyFile), strict },
    shadow: shadow && { policy: shadow, strict },
    lacks: () => undefined,
    served,
  };
}

/** What a node with these settings says to the certificate of a request. @throws usage */
export function explainCertificate(
  request: ExplainRequest & { readonly certificate: Uint8Array },
  settings: NodeSettings,
  trust: TrustSnapshot,
  calls: CallStandards,
): Explanation {
  const { call } = parseExplainRequest(request);
  const standard = clientStandardOf(settings, trust, explainCallsUnder(calls, call));
  return explainClient(clientOf(request.certificate, standard), standard);
}

/** Answers about certificates and open connections, by what the node decides by at that moment. */
export function explainer(parts: NodeParts, live: LivePeers): (question: ExplainQuestion) => ExplainResponse {
  const { settings, credentials, directory, outbound, policies } = parts;
  return ({ subject, call }) => {
    const { mode } = settings.value;
    const strict = mode === 'strict';
    const shadow = policies.shadow && { policy: policies.shadow.policy, strict };
    const calls = {
      enforced: { policy: policies.enforced, strict },
      shadow,
      lacks: (caller: Caller, path: string) => lackingCredentials(caller, path, settings.value),
      served: live.served,
    };
    const explainCalls = explainCallsUnder(calls, call);
    const trust = credentials.server.value;
    const proofs = { outbound: outbound.value, anchors: trust?.anchors ?? [] };
    const standard = {
      ...clientStandardOf(settings.value, trust, explainCalls),
      provenNodes: (identity: PeerIdentity) =>
        provenMembers(directory.members.value, identity, proofs).slice(0, MAX_PROVEN_NODES),
    };
    return { explanations: explanationsOf(subject, standard, parts, live), mode };
  };
}

function clientStandardOf(
  settings: NodeSettings,
  trust: TrustSnapshot | undefined,
  explainCalls: ExplainCalls,
): ClientStandard {
  return {
    trust,
    admit: admitUnder(settings),
    lists: roleListsOf(settings),
    provenNodes: () => [],
    explainCalls,
  };
}

function explanationsOf(
  subject: ExplainSubject,
  standard: ClientStandard,
  parts: NodeParts,
  live: LivePeers,
): readonly Explanation[] {
  switch (subject.kind) {
    case 'certificate':
      return [explainClient(clientOf(subject.content, standard), standard)];
    case 'connection':
      return explainConnections(standard, parts, live, ({ id }) => id === subject.id);
    case 'token':
      return [explainToken(subject.name, parts.staticTokens, standard.explainCalls, new Date())];
    case 'refused':
      return live
        .refusals()
        .slice(0, MAX_REFUSALS)
        .map(refusal => explainRefused(refusal, standard));
    case 'fingerprint': {
      const isMeant = ({ identity }: { readonly identity?: PeerIdentity | undefined }) =>
        identity?.fingerprint256 === subject.fingerprint256;
      const refused = live
        .refusals()
        .filter(isMeant)
        .map(refusal => explainRefused(refusal, standard));
      return [...explainConnections(standard, parts, live, isMeant), ...refused];
    }
    case 'node': {
      const { name } = subject;
      const entry = live.peers().find(each => each.name === name);
      const found = explainConnections(standard, parts, live, ({ nodeName }) => nodeName() === name);
      if (entry === undefined && found.length === 0)
        throw new SelvedgeError('member_unknown', `${name} is no member and has no connection here`, { node: name });
      const isConnected = entry === undefined || entry.state === 'connected' || entry.state === 'draining';
      if (isConnected) return found;
      const refused = live
        .refusals()
        .filter(({ identity }) => identity !== undefined && claims(identity, entry, parts));
      return [explainUnconnected(entry), ...found, ...refused.map(refusal => explainRefused(refusal, standard))];
    }
  }
}

function explainConnections(
  standard: ClientStandard,
  { connector }: NodeParts,
  live: LivePeers,
  isMeant: (facts: {
    readonly id: number;
    readonly nodeName: () => string;
    readonly identity: PeerIdentity | undefined;
  }) => boolean,
): readonly Explanation[] {
  const inbound = live
    .inbound()
    .filter(connection =>
      isMeant({
        id: connection.id,
        nodeName: () => live.nodeOf(connection),
        identity: connection.caller.identity,
      }),
    )
    .slice(0, MAX_CONNECTIONS);
  const outbound = connector.connections
    .filter(({ id, nodeName, identity }) => isMeant({ id, nodeName: () => nodeName, identity }))
    .slice(0, MAX_CONNECTIONS);
  return [
    ...inbound.map(connection => explainClient(inboundClient(connection, live.nodeOf(connection)), standard)),
    ...outbound.flatMap(connection => {
      const chain = connector.chainOf(connection);
      const asServer = explainOutbound(connection, chain, connector.explain(connection));
      if (inbound.length > 0 || chain === undefined) return [asServer];
      const { nodeName, security, direction, connectionId, remoteAddress } = asServer;
      const asClient = explainClient(clientWith(chain, standard), standard);
      return [asServer, { ...asClient, nodeName, security, direction, connectionId, remoteAddress }];
    }),
  ];
}

/** What would be said to it now; it may be admitted since. */
function explainRefused(
  { chain, remoteAddress, reason, at }: RefusedCertificate,
  standard: ClientStandard,
): Explanation {
  const explanation = explainClient(clientWith(chain, standard), standard);
  const [nodeName = ''] = explanation.provesNodes;
  return { ...explanation, nodeName, remoteAddress, refusedAtMs: at.getTime(), refusedReason: reason };
}

/** Whether it would prove the name of a member if a CA of ours vouched for it. */
function claims(identity: PeerIdentity, { name, addresses }: PeerEntry, { outbound, credentials }: NodeParts): boolean {
  const proofs = { outbound: outbound.value, anchors: credentials.server.value?.anchors ?? [] };
  return provenMembers([{ name, addresses }], identity, proofs).length > 0;
}

function inboundClient({ id, caller, standing }: InboundConnection, nodeName: string): ExplainedClient {
  const { chain, security } = standing;
  return { chain, security, standing: standing.now, remoteAddress: caller.remoteAddress, connectionId: id, nodeName };
}

function clientOf(content: Uint8Array, standard: ClientStandard): ExplainedClient {
  try {
    return clientWith(readChain(content), standard);
  } catch (error) {
    const client = clientWith({ leafDer: new Uint8Array(), chain: [], authorizationError: undefined }, standard);
    const reason = 'malformed_certificate';
    const detail = messageOf(error);
    const standing = { admitted: false, reason, detail, identity: undefined, unauthenticated: true } as const;
    return { ...client, chain: undefined, standing };
  }
}
