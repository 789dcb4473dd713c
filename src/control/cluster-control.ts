import type * as grpc from '@grpc/grpc-js';
import { seesTopology } from '../authorization/method-rules.ts';
import { compareNames } from '../identity/compare-names.ts';
import type { CaStatus } from '../rpc/ca-messages.ts';
import {
  type CheckModeResponse,
  type ClusterStatus,
  clusterControl,
  type NodeStatus,
  nodeControl,
  type Unreachable,
} from '../rpc/control-messages.ts';
import { callUnary, implementUnary } from '../rpc/service.ts';
import { failureInWords } from '../rpc/status.ts';
import { whyNotCounted } from './ca-answer.ts';
import { caStateOf } from './ca-state.ts';
import { foldCaStates } from './ca-status.ts';
import { editMembers } from './edit-members.ts';
import { knownCertificates, withKnownNames } from './known-certificates.ts';
import { peerMessage, selfAsPeer, statusOfNode } from './messages-of.ts';
import { checkMode } from './node-control.ts';
import type { NodeFacts } from './node-facts.ts';
import { oneInFlight } from './one-in-flight.ts';
import { redactCaStatus, redactCluster, redactNodes, redactPreflight } from './redact.ts';

/** How long one member may take to answer. */
const MEMBER_TIMEOUT_MS = 5_000;
const MODES: readonly string[] = ['plain', 'optional', 'strict'];

/** The service that shows the cluster, as this node sees it and as its members answer. */
export function createClusterControl(node: NodeFacts): grpc.UntypedServiceImplementation {
  const askedCaStatus = oneInFlight(() => caStatus(node));
  // Whoever may call it at all makes this node call every member.
  const askedModes = new Map(MODES.map(to => [to, oneInFlight(() => askModes(node, to))]));
  return implementUnary(clusterControl, {
    GetClusterStatus: (_request, caller, signal) =>
      seesTopology(caller) ? clusterStatus(node, signal) : redactCluster(statusOfNode(node)),
    ListNodes: (_request, caller) => {
      const self = selfAsPeer(node);
      if (!seesTopology(caller)) return redactNodes(self);
      const nodes = [self, ...node.peers().map(peerMessage)].sort((a, b) => compareNames(a.nodeName, b.nodeName));
      return { nodes, addressesRedacted: false, removed: node.removed() };
    },
    GetCaStatus: async (_request, caller) => {
      const status = await askedCaStatus();
      return seesTopology(caller) ? status : redactCaStatus(status);
    },
    Preflight: async ({ to }, caller) => {
      const own = checkMode(node, to);
      const { answers, unreachable } = await (askedModes.get(to) ?? (() => askModes(node, to)))();
      const nodes = [own, ...answers].sort((a, b) => compareNames(a.nodeName, b.nodeName));
      const ready = unreachable.length === 0 && nodes.every(each => each.ready);
      return seesTopology(caller)
        ? { ready, nodes, unreachable, addressesRedacted: false }
        : redactPreflight(ready, own);
    },
    ...editMembers(node),
  });
}

async function clusterStatus(node: NodeFacts, signal: AbortSignal): Promise<ClusterStatus> {
  const { answers, unreachable } = await askAll(node, name =>
    callUnary(node.askMember(name), nodeControl, 'GetStatus', {}, { timeoutMs: MEMBER_TIMEOUT_MS, signal }),
  );
  const known = new Map(node.peers().map(entry => [entry.name, peerMessage(entry)]));
  const certificates = knownCertificates(node);
  // Members answer a peer without addresses, labels and their own peers; what this node knows of them itself fills the gap.
  const filled: NodeStatus[] = answers.map(answer => ({
    ...answer,
    advertisedAddresses: known.get(answer.nodeName)?.addresses ?? [],
    labels: known.get(answer.nodeName)?.labels ?? {},
    expiring: answer.expiring.map(each => withKnownNames(each, certificates)),
  }));
  const nodes = [statusOfNode(node), ...filled].sort((a, b) => compareNames(a.nodeName, b.nodeName));
  return { nodes, unreachable, addressesRedacted: false };
}

/** Not cancelled with the call of one caller: others may wait for it too. */
function askModes(node: NodeFacts, to: string): ReturnType<typeof askAll<CheckModeResponse>> {
  return askAll(node, name =>
    callUnary(node.askMember(name), nodeControl, 'CheckMode', { to }, { timeoutMs: MEMBER_TIMEOUT_MS }),
  );
}

/** As {@link askModes}. */
async function caStatus(node: NodeFacts): Promise<CaStatus> {
  const { answers, unreachable } = await askAll(node, async name => {
    const options = { timeoutMs: MEMBER_TIMEOUT_MS };
    const state = await callUnary(node.askMember(name), nodeControl, 'GetCaState', {}, options);
    const why = whyNotCounted(state, name);
    if (why !== undefined) throw new Error(`its answer is not counted: ${why}`);
    return state;
  });
  return foldCaStates(caStateOf(node), answers, unreachable);
}

/** An answer in the name of another than the one who was asked is none. */
async function askAll<T extends { readonly nodeName: string }>(
  node: NodeFacts,
  ask: (name: string) => Promise<T>,
): Promise<{ answers: T[]; unreachable: Unreachable[] }> {
  const answers: T[] = [];
  const unreachable: Unreachable[] = [];
  await Promise.all(
    node.peers().map(async ({ name }) => {
      try {
        const answer = await ask(name);
        if (answer.nodeName !== name)
          throw new Error('its answer is not counted: it answered in the name of another node');
        answers.push(answer);
      } catch (error) {
        unreachable.push({ nodeName: name, reason: failureInWords(error) });
      }
    }),
  );
  return { answers, unreachable };
}
