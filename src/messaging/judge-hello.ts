import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { Introduction } from './introduction.ts';

/** The stream protocol versions this node speaks. */
export const PROTOCOL = { min: 1, max: 3 } as const;
/** From this version on both sides know the admission question. */
export const ADMISSION_PROTOCOL = 2;
/** From this version on both sides take batches. */
export const BATCH_PROTOCOL = 3;
/** From this version on both sides say whether they watch the other. */
export const WATCH_PROTOCOL = 3;

const WITHDRAWN = 'trust in the certificate of this connection was withdrawn';
const DOWNGRADE = 'this member spoke mutual TLS before, and this connection proves nothing';

export interface Hello {
  readonly introduction: Introduction;
  readonly protocolMin: number;
  readonly protocolMax: number;
}

/** Whether a certificate proves the name that its holder claims. Details are for the log alone. */
export type NodeProof = { readonly ok: true } | { readonly ok: false; readonly detail: string };

/** What this node knows when a Hello arrives. */
export interface HelloContext {
  readonly self: Introduction;
  /** The node the dialler says it looks for; undefined where it does not say. */
  readonly target: string | undefined;
  /** Why the connection may no longer be here, though it was admitted; undefined where it may. */
  readonly withdrawal: RefusalReason | undefined;
  /** Whether only names of the membership source are let in. */
  readonly lists: boolean;
  readonly isMember: boolean;
  /** Whether the name was taken out of the cluster. */
  readonly isRemoved: boolean;
  readonly proof: NodeProof;
  /** Whether this is a step down from mutual TLS that is refused. */
  readonly downgrade: boolean;
  /** Newest generation under this name that counts against this peer; undefined where none was seen. */
  readonly knownGeneration: number | undefined;
}

export interface HelloRefusal {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** For our log. */
  readonly detail: string;
  /** For the peer: its own claim and what is wrong with it, never what would be allowed nor what is known of others. */
  readonly told: string;
}

export type HelloVerdict = { readonly ok: true; readonly protocol: number } | HelloRefusal;

/**
 * Whether a Hello may become a stream. Pure; the first thing that is wrong counts. The proof comes before all that is
 * known of names, so that who proves none cannot ask which are members, nor pass for a second process of this node.
 */
export function judgeHello(hello: Hello, context: HelloContext): HelloVerdict {
  const { introduction: peer } = hello;
  const { self, target, withdrawal } = context;
  if (withdrawal !== undefined) return refuse(withdrawal, WITHDRAWN);
  if (peer.clusterName !== self.clusterName)
    return refuse('cluster_mismatch', `the Hello is of the cluster ${JSON.stringify(peer.clusterName)}`);
  if (target !== undefined && target !== self.nodeName)
    return refuse(
      'node_identity_mismatch',
      `the dialler looks for another node; this one is ${self.nodeName}`,
      'this is another node',
    );
  if (!context.proof.ok)
    return refuse('node_identity_mismatch', context.proof.detail, `the certificate is not that of ${peer.nodeName}`);
  if (peer.nodeName === self.nodeName) return judgeNamesake(peer, self);
  if (context.isRemoved) return refuse('member_removed', `${peer.nodeName} was removed from the cluster`);
  if (context.lists && !context.isMember) return refuse('not_a_member', `${peer.nodeName} is not a member`);
  if (context.downgrade) return refuse('downgrade_refused', DOWNGRADE);
  if (context.knownGeneration !== undefined && peer.generation < context.knownGeneration)
    return staleGeneration(peer, context.knownGeneration);
  const protocol = Math.min(hello.protocolMax, PROTOCOL.max);
  if (protocol < Math.max(hello.protocolMin, PROTOCOL.min)) {
    const spoken = `versions ${hello.protocolMin} to ${hello.protocolMax}, and this node ${PROTOCOL.min} to ${PROTOCOL.max}`;
    return refuse('protocol_version', `${peer.nodeName} speaks stream protocol ${spoken}`);
  }
  return { ok: true, protocol };
}

/** Whether the one who answered our Hello is the one we looked for. Pure. */
export function judgeWelcome(
  welcome: { readonly introduction: Introduction; readonly protocol: number },
  context: {
    readonly self: Introduction;
    readonly target: string;
    /** Why the server may no longer be spoken to, though it might when it was dialled; undefined where it may. */
    readonly withdrawal: RefusalReason | undefined;
    /** Whether this is a step down from mutual TLS that is refused. */
    readonly downgrade: boolean;
    readonly knownGeneration: number | undefined;
  },
): HelloVerdict {
  const { introduction: peer, protocol } = welcome;
  const { self, target, withdrawal, downgrade, knownGeneration } = context;
  if (withdrawal !== undefined) return refuse(withdrawal, WITHDRAWN);
  if (peer.clusterName !== self.clusterName)
    return refuse('cluster_mismatch', `the Welcome is of the cluster ${JSON.stringify(peer.clusterName)}`);
  if (peer.nodeName !== target)
    return refuse(
      'server_identity_mismatch',
      `at the address of ${target} answers ${peer.nodeName}`,
      'another node was dialled',
    );
  if (downgrade) return refuse('downgrade_refused', DOWNGRADE);
  if (knownGeneration !== undefined && peer.generation < knownGeneration) return staleGeneration(peer, knownGeneration);
  if (protocol < PROTOCOL.min || protocol > PROTOCOL.max)
    return refuse('protocol_version', `${peer.nodeName} answered in stream protocol version ${protocol}`);
  return { ok: true, protocol };
}

/** A peer with our own name: this node itself at the end of a wrong address, or a second process that took the name. */
function judgeNamesake(peer: Introduction, self: Introduction): HelloRefusal {
  if (peer.generation === self.generation) return refuse('not_a_member', 'a node does not connect to itself');
  if (peer.generation < self.generation) return staleGeneration(peer, self.generation);
  const both = `generation ${peer.generation} there, ${self.generation} here`;
  const told = `another process is called ${peer.nodeName}`;
  return refuse('not_a_member', `two processes are called ${self.nodeName}: ${both}`, told);
}

function staleGeneration(peer: Introduction, newest: number): HelloRefusal {
  const detail = `${peer.nodeName} was seen with generation ${newest}, which is newer than ${peer.generation}`;
  const told = `generation ${peer.generation} of ${peer.nodeName} is not the newest`;
  return refuse('stale_generation', detail, told);
}

function refuse(reason: RefusalReason, detail: string, told = detail): HelloRefusal {
  return { ok: false, reason, detail, told };
}
