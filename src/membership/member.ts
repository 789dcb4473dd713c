import type { Address } from '../identity/address.ts';

/** One node that the membership source says exists. */
export interface Member {
  readonly name: string;
  /** Where it can be dialled, the preferred first; without a scheme until more is learned. Never empty. */
  readonly addresses: readonly Address[];
  readonly labels: Readonly<Record<string, string>>;
  /** It spoke TLS, and a step down is refused: no call to it goes over plaintext. */
  readonly tlsOnly?: true;
}
