import type { TcpAddress } from '../identity/address.ts';

/** What a node says of itself to those who keep the list of members. */
export interface OwnWord {
  readonly generation: number;
  /** Where it can be dialled, with schemes, the preferred first. */
  readonly addresses: readonly TcpAddress[];
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: none. */
  readonly zone: string | undefined;
  readonly weight: number;
}
