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

/** Members that have all of these labels. */
export interface MemberSelector {
  readonly labels: Readonly<Record<string, string>>;
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
}

export function candidateOf({ name, labels, state, liveness }: PeerEntry): Candidate {
  return { name, labels, ready: isFine(state), suspect: mayBeGone(liveness.state) };
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

/** Each call goes to the next member with the labels that is ready and not suspect, else to one that is ready. */
export function selectorChannel(
  channelTo: (name: string) => grpc.ChannelInterface,
  candidates: () => readonly Candidate[],
  selector: MemberSelector,
): PickingChannel {
  const wanted = Object.entries(selector.labels);
  return new PickingChannel({
    selector: wanted.map(([label, value]) => `${label}=${value}`).join(','),
    candidates: () => {
      const matching = candidates().filter(({ labels }) => wanted.every(([label, value]) => labels[label] === value));
      const ready = matching.filter(candidate => candidate.ready);
      const unsuspected = ready.filter(candidate => !candidate.suspect);
      const channels = (chosen: readonly Candidate[]) => chosen.map(({ name }) => channelTo(name));
      return {
        ready: channels(unsuspected.length > 0 ? unsuspected : ready),
        others: channels(matching.filter(candidate => !candidate.ready)),
      };
    },
  });
}
