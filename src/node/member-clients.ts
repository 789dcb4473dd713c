import * as grpc from '@grpc/grpc-js';
import { streamedCalls } from '../calls/streamed-calls.ts';
import type { Connector } from '../connector/connector.ts';
import { lentChannel } from '../connector/lent-channel.ts';
import { PickingChannel } from '../connector/picking-channel.ts';
import { mayBeGone } from '../messaging/member-liveness.ts';
import { isFine, type PeerEntry } from '../messaging/peer-table.ts';

/** A generated grpc-js client class, or `grpc.Client` itself. */
export type ClientConstructor<Client extends grpc.Client> = new (
  address: string,
  credentials: grpc.ChannelCredentials,
  options?: grpc.ClientOptions,
) => Client;

/** Which members calls may go to. */
export interface MemberSelector {
  /** Those that have all of these. Empty: every member. */
  readonly labels: Readonly<Record<string, string>>;
  /**
   * A zone to prefer, such as that of the caller: calls go to its members while one of them is ready and not suspect, and
   * else to the others. Default: no zone is preferred.
   */
  readonly preferZone?: string;
}

/** A client whose calls go over `channel`; address and credentials are the channel's business. */
export function clientOver<Client extends grpc.Client>(
  Constructor: ClientConstructor<Client>,
  channel: grpc.ChannelInterface,
  more: Pick<grpc.ClientOptions, 'callInvocationTransformer'> = {},
): Client {
  // ClientOptions asks for grpc-js's own class where its code needs the interface only.
  const options: Record<string, unknown> = { ...more, channelOverride: channel };
  return new Constructor(channel.getTarget(), grpc.credentials.createInsecure(), options);
}

/** A client of one member: unary calls over `unary`, all others over `channel`. */
export function memberClient<Client extends grpc.Client>(
  Constructor: ClientConstructor<Client>,
  name: string,
  channel: grpc.ChannelInterface,
  unary: grpc.ChannelInterface,
): Client {
  const lent = lentChannel(channel, name);
  const isOpen = () => lent.getConnectivityState(false) !== grpc.connectivityState.SHUTDOWN;
  return clientOver(Constructor, lent, {
    callInvocationTransformer: streamedCalls(() => (isOpen() ? unary : undefined)),
  });
}

/** What is known of a member that calls may go to. */
export interface Candidate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its peer stream is up and it does not drain. */
  readonly ready: boolean;
  /** It may be gone. */
  readonly suspect: boolean;
  /** By the word of the membership source. */
  readonly draining: boolean;
  readonly zone: string | undefined;
  readonly weight: number;
}

export function candidateOf({ name, labels, state, liveness, membership, zone, weight }: PeerEntry): Candidate {
  const draining = membership === 'draining';
  return { name, labels, ready: isFine(state), suspect: mayBeGone(liveness.state), draining, zone, weight };
}

export interface SelectorParts {
  readonly connector: Pick<Connector, 'channel'>;
  /** The channel to a member for unary calls. */
  readonly unary: (name: string) => grpc.ChannelInterface;
  readonly candidates: () => readonly Candidate[];
}

/** A client of which each call goes to a member with the labels, as `selectorChannel` picks them. */
export function selectorClient<Client extends grpc.Client>(
  Constructor: ClientConstructor<Client>,
  { connector, unary, candidates }: SelectorParts,
  selector: MemberSelector,
): Client {
  const channel = selectorChannel(name => connector.channel(name), candidates, selector);
  const forUnary = selectorChannel(unary, candidates, selector);
  return clientOver(Constructor, channel, {
    callInvocationTransformer: streamedCalls(() => (channel.isClosed ? undefined : forUnary)),
  });
}

/**
 * Each call goes to a member with the labels, in turn and by weight: to one that is ready, not suspect and does not drain,
 * else to one that is ready and does not drain, else to one that is ready, else to one that does not drain, else to any. The
 * zone that is preferred narrows the first of these down, where it can.
 */
export function selectorChannel(
  channelTo: (name: string) => grpc.ChannelInterface,
  candidates: () => readonly Candidate[],
  { labels, preferZone }: MemberSelector,
): PickingChannel {
  const wanted = Object.entries(labels);
  return new PickingChannel({
    selector: wanted.map(([label, value]) => `${label}=${value}`).join(','),
    channelTo,
    candidates: () => {
      const matching = candidates().filter(each => wanted.every(([label, value]) => each.labels[label] === value));
      const ready = orAll(
        matching.filter(candidate => candidate.ready),
        isNotDraining,
      );
      const weighty = orAll(orAll(ready, isNotSuspect), hasWeight);
      const isNear = (each: Candidate) => each.zone === preferZone && isNotSuspect(each) && isNotDraining(each);
      return {
        ready: preferZone === undefined ? weighty : orAll(weighty, isNear),
        others: orAll(
          matching.filter(candidate => !candidate.ready),
          isNotDraining,
        ),
      };
    },
  });
}

const isNotDraining = ({ draining }: Candidate): boolean => !draining;
const isNotSuspect = ({ suspect }: Candidate): boolean => !suspect;
const hasWeight = ({ weight }: Candidate): boolean => weight > 0;

/** Those who are so, or all where none is. */
function orAll(candidates: readonly Candidate[], isSo: (candidate: Candidate) => boolean): readonly Candidate[] {
  const found = candidates.filter(isSo);
  return found.length > 0 ? found : candidates;
}
