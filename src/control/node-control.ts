import type * as grpc from '@grpc/grpc-js';
import { seesTopology } from '../authorization/method-rules.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { type CheckModeResponse, nodeControl, type TlsState } from '../rpc/control-messages.ts';
import { obstacleInWords } from '../rpc/mode-obstacles.ts';
import { implementUnary } from '../rpc/service.ts';
import { caStateOf } from './ca-state.ts';
import { parseExplainRequest } from './explain-question.ts';
import { credentialMessage, shadowReportOf, statusOfNode } from './messages-of.ts';
import type { NodeFacts } from './node-facts.ts';
import { obstaclesTo } from './preflight.ts';
import { REDACTED_CONNECTIONS, redactCaState, redactCheckMode, redactStatus, redactTls } from './redact.ts';

/** The service that shows and steers one node. Who may call what is decided before a call arrives here. */
export function createNodeControl(node: NodeFacts): grpc.UntypedServiceImplementation {
  return implementUnary(nodeControl, {
    GetStatus: (_request, caller) => {
      const status = statusOfNode(node);
      return seesTopology(caller) ? status : redactStatus(status);
    },
    ListConnections: (_request, caller) =>
      seesTopology(caller) ? { connections: node.connections(), addressesRedacted: false } : REDACTED_CONNECTIONS,
    GetTlsState: (_request, caller) => {
      const state = tlsStateOf(node);
      return seesTopology(caller) ? state : redactTls(state);
    },
    GetCaState: (_request, caller) => {
      const state = caStateOf(node);
      return seesTopology(caller) ? state : redactCaState(state);
    },
    CheckMode: (request, caller) => {
      const answer = checkMode(node, request.to);
      return seesTopology(caller) ? answer : redactCheckMode(answer);
    },
    GetShadowReport: () => shadowReportOf(node),
    Explain: request => node.explain(parseExplainRequest(request)),
    ReloadTls: async () => {
      const { result, problems, generation } = await node.reloadTls();
      return { result, problems, trustGeneration: generation };
    },
    Drain: () => {
      node.drain();
      return { state: 'draining' };
    },
  });
}

/** Whether this node could move to `to` without cutting anybody off, unredacted. */
export function checkMode(node: NodeFacts, to: string): CheckModeResponse {
  if (to !== 'plain' && to !== 'optional' && to !== 'strict') {
    throw new SelvedgeError('usage', 'to must be plain, optional or strict', { problem: 'unknown mode' });
  }
  const plaintext = node
    .connections()
    .filter(each => each.direction === 'inbound' && each.securityReason === 'plaintext_peer');
  const modeObstacles = obstaclesTo(to, {
    from: node.mode(),
    hasCredentials: node.credentials().length > 0,
    peers: node.peers(),
    plaintextInbound: plaintext.length,
  });
  return {
    nodeName: node.nodeName,
    from: node.mode(),
    to,
    ready: modeObstacles.length === 0,
    obstacles: modeObstacles.map(obstacleInWords),
    addressesRedacted: false,
    modeObstacles,
  };
}

function tlsStateOf(node: NodeFacts): TlsState {
  const tls = node.tls();
  return {
    mode: node.mode(),
    requireClientAuth: tls?.requireClientAuth ?? false,
    minVersion: tls?.minVersion ?? '',
    allowedSubjectNames: tls?.allowedSubjectNames ?? [],
    credentials: node.credentials().map(({ usage, store }) => credentialMessage(usage, store)),
    addressesRedacted: false,
  };
}
