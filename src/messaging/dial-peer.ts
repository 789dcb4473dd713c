import * as grpc from '@grpc/grpc-js';
import { CLOSE_REASONS, type CloseReason, type RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Security } from '../rpc/security.ts';
import { refusalReasonOf, withoutGrpcWords } from '../rpc/status.ts';
import { printable } from '../telemetry/logger.ts';
import { connectMethod, type Frame, TARGET_NODE_METADATA } from './frame.ts';
import { FrameStream, type FrameStreamEnd } from './frame-stream.ts';
import { type Introduction, introductionToWire, malformedFrame, parseIntroduction } from './introduction.ts';
import { judgeWelcome, PROTOCOL } from './judge-hello.ts';
import {
  DEFAULT_HELLO_TIMEOUT_MS,
  type PeerChannel,
  type PeerChannels,
  type PeerStreamsOptions,
} from './peer-parts.ts';

/** A dial brought a stream. */
export interface Welcomed {
  readonly kind: 'welcomed';
  /** What our Hello said of us; meanwhile it may have changed. */
  readonly self: Introduction;
  readonly frames: FrameStream;
  readonly introduction: Introduction;
  /** The version of the stream protocol that both speak. */
  readonly protocol: number;
  readonly security: Security;
  readonly identity: PeerIdentity | undefined;
}

/** What came of one dial. */
export type DialOutcome =
  | Welcomed
  /** The peer wants us, but not this stream; `duplicate_stream` most often. */
  | { readonly kind: 'turned_away'; readonly reason: CloseReason; readonly detail: string }
  | {
      readonly kind: 'refused';
      /** A refusal reason code, or `permission_denied` by the peer's authorization. */
      readonly reason: RefusalReason | 'permission_denied';
      readonly detail: string;
      readonly by: 'us' | 'peer';
    }
  | { readonly kind: 'failed'; readonly detail: string };

export interface DialPeerParts {
  readonly node: string;
  readonly self: Introduction;
  readonly connector: PeerChannels;
  readonly options: PeerStreamsOptions;
  /** Newest generation that counts against a Welcome over a connection that is proven or not. */
  readonly knownGeneration: (proven: boolean) => number | undefined;
  /** Whether a connection is a step down from mutual TLS that is refused. */
  readonly isDowngrade: (security: Security) => boolean;
  /** Told when we refuse the one who answered; what the connector refuses it counts itself. */
  readonly refused: (peer: RefusedPeer) => void;
  /** Ends the dial; the outcome is then of no use. */
  readonly signal: AbortSignal;
}

/** Dials a member once and says Hello. Never throws. */
export async function dialPeer(parts: DialPeerParts): Promise<DialOutcome> {
  const { node, connector, options, signal } = parts;
  const channel = connector.channel(node);
  await connected(channel.impatient, Date.now() + options.connectTimeoutMs, signal);
  if (signal.aborted) return { kind: 'failed', detail: 'given up' };
  // Read in the same turn as the call is made: what protects the call must not be a guess.
  const security = connector.securityOf(node);
  const frames = FrameStream.ofClientCall(call(channel, node));
  const abort = () => frames.cancel();
  signal.addEventListener('abort', abort, { once: true });
  try {
    frames.send({
      hello: {
        introduction: introductionToWire(parts.self),
        protocolMin: PROTOCOL.min,
        protocolMax: PROTOCOL.max,
      },
    });
    const answer = await frames.next(options.helloTimeoutMs ?? DEFAULT_HELLO_TIMEOUT_MS);
    if (answer === 'ended') return failureOf(await frames.ended, channel);
    if (answer === 'timeout') {
      frames.cancel();
      return { kind: 'failed', detail: 'no answer to the Hello' };
    }
    if (answer.body === 'goodbye') return turnedAway(answer, frames);
    if (security === undefined) {
      frames.cancel();
      return { kind: 'failed', detail: 'the connection changed during the dial' };
    }
    return welcomed(answer, frames, security, parts);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Waits until a call would fail or go out at once. */
async function connected(channel: grpc.ChannelInterface, deadline: number, signal: AbortSignal): Promise<void> {
  channel.getConnectivityState(true);
  while (!signal.aborted) {
    const state = channel.getConnectivityState(false);
    // One that is idle although it was asked to connect has nothing to dial: the call will say why.
    if (state !== grpc.connectivityState.CONNECTING) return;
    const changed = new Promise<boolean>(resolve => {
      const abort = () => resolve(false);
      signal.addEventListener('abort', abort, { once: true });
      channel.watchConnectivityState(state, deadline, error => {
        signal.removeEventListener('abort', abort);
        resolve(error === undefined);
      });
    });
    if (!(await changed)) return;
  }
}

function call(channel: PeerChannel, node: string): grpc.ClientDuplexStream<Frame, Frame> {
  // The credentials are those of the channel; these are never used.
  const client = new grpc.Client(node, grpc.credentials.createInsecure(), { channelOverride: channel.impatient });
  const metadata = new grpc.Metadata();
  metadata.set(TARGET_NODE_METADATA, node);
  const { path, requestSerialize, responseDeserialize } = connectMethod;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}

function welcomed(answer: Frame, frames: FrameStream, security: Security, parts: DialPeerParts): DialOutcome {
  const { node, self, connector } = parts;
  const { identity, address: remoteAddress = '' } =
    connector.connections.findLast(connection => connection.nodeName === node && connection.security === security) ??
    {};
  const refuse = (reason: RefusalReason, detail: string, told: string): DialOutcome => {
    frames.send({ goodbye: { reason, detail: told } });
    void frames.end();
    parts.refused({ direction: 'outbound', remoteAddress, claimedNode: node, reason, detail, identity });
    return { kind: 'refused', reason, detail, by: 'us' };
  };
  try {
    if (answer.body !== 'welcome') throw malformedFrame('the first frame is no Welcome');
    const introduction = parseIntroduction(answer.welcome?.introduction);
    const verdict = judgeWelcome(
      { introduction, protocol: answer.welcome?.protocol ?? 0 },
      {
        self,
        target: node,
        withdrawal: connector.withdrawalOf(security),
        downgrade: parts.isDowngrade(security),
        knownGeneration: parts.knownGeneration(security.kind === 'mutual_tls'),
      },
    );
    if (!verdict.ok) return refuse(verdict.reason, verdict.detail, verdict.told);
    const { protocol } = verdict;
    return { kind: 'welcomed', self, frames, introduction, protocol, security, identity };
  } catch (error) {
    if (!isSelvedgeError(error, 'refused')) throw error;
    return refuse(error.facts.reason, error.facts.detail, error.facts.detail);
  }
}

function turnedAway({ goodbye }: Frame, frames: FrameStream): DialOutcome {
  void frames.end();
  const reason = CLOSE_REASONS.find(known => known === goodbye?.reason) ?? 'peer_closed';
  return { kind: 'turned_away', reason, detail: printable(goodbye?.detail ?? '') };
}

/** Why a call ended without an answer: the word of the peer, else that of our own connector, else the status. */
function failureOf({ status, detail }: FrameStreamEnd, channel: PeerChannel): DialOutcome {
  if (status === undefined || status.code === grpc.status.OK)
    return { kind: 'failed', detail: 'the call ended without an answer' };
  const { failure } = channel;
  if (status.code === grpc.status.UNAVAILABLE && isSelvedgeError(failure, 'refused')) {
    const { reason, by, detail: why } = failure.facts;
    return { kind: 'refused', reason, by, detail: printable(why) };
  }
  if (status.code === grpc.status.UNAVAILABLE && failure !== undefined)
    return { kind: 'failed', detail: printable(messageOf(failure)) };
  const reason = refusalReasonOf(status);
  if (reason !== undefined) return { kind: 'refused', reason, by: 'peer', detail: withoutReason(detail, reason) };
  if (status.code === grpc.status.PERMISSION_DENIED)
    return { kind: 'refused', reason: 'permission_denied', by: 'peer', detail };
  return { kind: 'failed', detail: withoutGrpcWords(detail) };
}

function withoutReason(detail: string, reason: RefusalReason): string {
  return detail.startsWith(`${reason}: `) ? detail.slice(reason.length + 2) : detail;
}
