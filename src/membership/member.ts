import type { Address } from '../identity/address.ts';

export { DEFAULT_WEIGHT, MAX_WEIGHT } from '../identity/node-labels.ts';

/** What a member says of itself, as far as those who pick among members need it. */
export interface MemberSaid {
  readonly labels: Readonly<Record<string, string>>;
  readonly zone?: string;
}

/** One node that the membership source says exists. */
export interface Member {
  readonly name: string;
  /** Where it can be dialled, the preferred first; without a scheme until more is learned. Never empty. */
  readonly addresses: readonly Address[];
  /** Those that the source gives it. */
  readonly labels: Readonly<Record<string, string>>;
  /** What fails together with it, such as an availability zone. Undefined: the source does not say. */
  readonly zone?: string;
  /** Its share of the calls among those that are picked from, 0 to 65,535 (0: only where all have it). Undefined: the source does not say. */
  readonly weight?: number;
  /** What it said of itself when the source asked it: it counts until the member says more, and what the source says goes before it. */
  readonly said?: MemberSaid;
  /** It is to be given nothing new by those who pick among members. */
  readonly isDraining?: true;
  /** It spoke TLS, and a step down is refused: no call to it goes over plaintext. */
  readonly tlsOnly?: true;
}
