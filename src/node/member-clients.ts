import * as grpc from '@grpc/grpc-js';
import type { Connector } from '../connector/connector.ts';
import { PickingChannel } from '../connector/picking-channel.ts';

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
): Client {
  // ClientOptions asks for grpc-js's own class where its code needs the interface only.
  const options: Record<string, unknown> = { channelOverride: channel };
  return new Constructor(channel.getTarget(), grpc.credentials.createInsecure(), options);
}

/** What is known of a member that calls may go to. */
export interface Candidate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its peer stream is up and it does not drain. */
  readonly ready: boolean;
}

/** Each call goes to the next ready member with the labels. */
export function selectorChannel(
  connector: Connector,
  candidates: () => readonly Candidate[],
  selector: MemberSelector,
): grpc.ChannelInterface {
  const wanted = Object.entries(selector.labels);
  return new PickingChannel({
    selector: wanted.map(([label, value]) => `${label}=${value}`).join(','),
    candidates: () => {
      const matching = candidates().filter(({ labels }) => wanted.every(([label, value]) => labels[label] === value));
      const channels = (ready: boolean) =>
        matching.filter(candidate => candidate.ready === ready).map(candidate => connector.channel(candidate.name));
      return { ready: channels(true), others: channels(false) };
    },
  });
}
