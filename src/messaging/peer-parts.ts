import type * as grpc from '@grpc/grpc-js';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import type { ExchangeLimits } from '../exchange/stream-exchange.ts';
import type { Address, TcpAddress } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Security } from '../rpc/security.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AdmissionAnswer, AdmissionQuestion } from './admission-question.ts';
import type { Introduction, NodeMode } from './introduction.ts';
import type { NodeProof } from './judge-hello.ts';
import type { PeerStreamFacts } from './stream-facts.ts';

export interface KnownMember {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined, here and below: the membership source does not say. */
  readonly zone?: string;
  readonly weight?: number;
  /** What it said of itself when the membership source asked it, for as long as it has said nothing to us. */
  readonly said?: { readonly labels: Readonly<Record<string, string>>; readonly zone?: string };
  /** Nothing new is to be given to it. */
  readonly isDraining?: true;
}

/** Who the members are; in a node, its member directory. */
export interface KnownMembers {
  readonly members: ObservableValue<readonly KnownMember[]>;
  member(name: string): KnownMember | undefined;
  /** Whether the source lists names, so that a stranger is refused. */
  readonly lists: boolean;
  /** Whether a name was taken out of the cluster, and is refused. */
  isRemoved(name: string): boolean;
  learn(
    name: string,
    word: { readonly addresses: readonly TcpAddress[]; readonly mode: NodeMode; readonly generation: number },
    overMutualTls: boolean,
  ): void;
  /** Whether the member spoke mutual TLS, so that plaintext is a step down. */
  spokeTls(name: string): boolean;
  /** Whether that step down is refused. */
  refusesPlaintext(name: string): boolean;
}

/** The channel to one member; in a node, a `StableChannel`. */
export interface PeerChannel {
  /** A call on it fails as soon as the dial does. */
  readonly impatient: grpc.ChannelInterface;
  /** The member takes nothing new for now. */
  pause(): void;
  /** The member is known to be up: a wait between two dials ends. */
  retryNow(): void;
  /** Why the newest dial failed, as far as is known. */
  readonly failure: unknown;
}

/** How members are reached; in a node, its connector. */
export interface PeerChannels {
  channel(nodeName: string): PeerChannel;
  /** Calls to a member that run or wait, those of the peer stream not counted. */
  openCallsTo(nodeName: string): number;
  /** The member shows the certificate of this fingerprint now: connections over which it showed another are dialled anew. */
  renewOthers(nodeName: string, fingerprint256: string): void;
  /** Of the connection a call would go over now: another object for another connection. Undefined while there is none. */
  securityOf(nodeName: string): Security | undefined;
  /** Why the server of a connection may no longer be spoken to; undefined while it may. */
  withdrawalOf(security: Security): RefusalReason | undefined;
  readonly connections: readonly {
    readonly nodeName: string;
    readonly security: Security;
    readonly identity: PeerIdentity | undefined;
    /** As it was dialled. */
    readonly address?: string;
  }[];
}

/** Whether who is at the other end of a connection proves to be the node called `nodeName`. */
export type ProvesNode = (
  nodeName: string,
  identity: PeerIdentity | undefined,
  security: Pick<Security, 'kind'>,
) => NodeProof;

/** Milliseconds. A node's networking settings fit. */
export interface PeerStreamsOptions {
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** How many members a stream is kept to though nothing is sent; all of them while the node is in `optional`. */
  readonly watchedMembers: number;
  /** A stream that we dialled and neither side watches ends after this long without traffic. */
  readonly idleTimeoutMs: number;
  /** Longest wait between two dials of one peer. */
  readonly reconnectMaxDelayMs: number;
  /** How long a dial may take until there is a connection. */
  readonly connectTimeoutMs: number;
  /** How long a Hello, and the answer to it, may take. Default 5,000. */
  readonly helloTimeoutMs?: number;
  readonly messages: ExchangeLimits;
}

/** What this node answers to a peer that asks whether it would be admitted with other certificates. */
export type JudgeAdmission = (
  nodeName: string,
  identity: PeerIdentity | undefined,
  question: AdmissionQuestion,
) => AdmissionAnswer;

export interface PeerStreamsParts {
  /** What we say of ourselves; a change is advertised on every open stream. */
  readonly self: ObservableValue<Introduction>;
  readonly directory: KnownMembers;
  readonly connector: PeerChannels;
  readonly provesNode: ProvesNode;
  /** Whether the deny list names a certificate now. */
  readonly isDenied: (identity: PeerIdentity) => boolean;
  /** Why a caller that was let in may no longer be here now; undefined while it may. */
  readonly withdrawalOf: (caller: Caller) => RefusalReason | undefined;
  readonly judgeAdmission: JudgeAdmission;
  /** Who is at the other end of a stream, for what comes over it. */
  readonly guardOf: (facts: PeerStreamFacts) => StreamGuard;
  /** What may be sent over it. */
  readonly wayOf: (facts: PeerStreamFacts) => StreamWay;
  /** Serves a request or message that a peer sent. */
  readonly serve: (request: InboundRequest, guard: StreamGuard, node: string) => void;
  /** Told of each Hello and each Welcome that is refused. */
  readonly refused?: (peer: RefusedPeer) => void;
  readonly options: PeerStreamsOptions;
  readonly logger: Logger;
  readonly metrics: Pick<
    Metrics,
    'connectionsRefused' | 'members' | 'plaintextPeers' | 'peerDowngrades' | 'downgradedPeers'
  >;
}

export const DEFAULT_HELLO_TIMEOUT_MS = 5_000;
