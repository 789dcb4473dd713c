import type { Address } from '../identity/address.ts';

/** What an operator wants of one member. */
export type MembershipChange =
  | {
      /** It is a member from now on; what was removed or draining is neither any more. */
      readonly kind: 'add';
      readonly name: string;
      /** Empty: where the member itself says it is. */
      readonly addresses: readonly Address[];
      /** Undefined, here and below: as it is. */
      readonly labels?: Readonly<Record<string, string>>;
      readonly zone?: string;
      readonly weight?: number;
    }
  /** `drain`: nobody picks it any more. `remove`: it is none any more, and refused until it is added again. `terminate`: that, and its process finishes what runs and ends. */
  | { readonly kind: 'drain' | 'remove' | 'terminate'; readonly name: string };

/** How members are changed through a source. */
export interface MembershipEditor {
  /**
   * Resolves when the change is written, which is before every node has heard of it.
   * @param by who asked, for those who read the record.
   * @param isKnown whether another source of the node knows the name, so that it can be removed here too. Default false.
   * @throws membership_not_writable with what to edit instead; member_unknown; membership_unavailable.
   */
  change(change: MembershipChange, by: string, isKnown?: boolean): Promise<void>;
}
