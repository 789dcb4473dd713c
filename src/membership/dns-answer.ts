import type { TcpAddress } from '../identity/address.ts';

/** More than a cluster has; what answers with more is no resolver of ours. */
export const MAX_DNS_ADDRESSES = 4_096;

/** One address that DNS names. */
export interface FoundAddress {
  /** Always an IP address, without a scheme. */
  readonly address: TcpAddress;
  /** Lower is preferred (RFC 2782); 0 for all where there are no SRV records. */
  readonly priority: number;
  /** Of the SRV record; undefined where there is none. */
  readonly weight: number | undefined;
}

/** What all names resolve to. Never empty: that is no answer. */
export interface DnsAnswer {
  /** No address twice, sorted: an order of DNS says nothing. */
  readonly addresses: readonly FoundAddress[];
  /** How long it counts, as the records say. */
  readonly ttlMs: number;
}

/** Asks once. Rejects with the reason, printable, where anything is missing from the answer. */
export type LookUp = (signal: AbortSignal) => Promise<DnsAnswer>;
