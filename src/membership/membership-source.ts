import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Member } from './member.ts';
import type { MembershipEditor } from './membership-editor.ts';
import type { OwnWord } from './own-word.ts';

export type MembershipSourceKind = 'file' | 'dns' | 'etcd';

/** What a membership source says, at one moment. */
export interface MembershipView {
  /** Who exists, and where; no name twice. May hold the node itself. */
  readonly members: readonly Member[];
  /** Names that were taken out by name: refused as `member_removed` until they are added again. Sorted; none of them is a member. */
  readonly removed: readonly string[];
  /** Of these, whose process is asked to finish what runs and end. Sorted. */
  readonly terminating?: readonly string[];
}

/** Whether a source hears what is true now. `frozen`: it does not, and says what it heard last. */
export type SourceStanding =
  | { readonly state: 'current' }
  | {
      readonly state: 'frozen';
      /** Unix milliseconds. */
      readonly sinceMs: number;
      /** Why, in one line, printable. */
      readonly problem: string;
    };

export const CURRENT: SourceStanding = { state: 'current' };

/**
 * Who exists, and at which hosts.
 *
 * S1. What is broken, lost or slow never changes the view: the last good one stays, and the standing is `frozen`. Where each
 *     member speaks for itself, what one of them says is broken for that one alone: it is logged, and the standing stays.
 * S2. An empty answer is no answer: nobody leaves by it.
 * S3. A view is taken as a whole, and only where it differs: the order in which members are told is no difference.
 *     What changed is logged by {@link Membership}, not by the source.
 * S4. After `close` nothing changes any more.
 */
export interface MembershipSource {
  readonly kind: MembershipSourceKind;
  readonly view: ObservableValue<MembershipView>;
  readonly standing: ObservableValue<SourceStanding>;
  /** Whether it names every member, so that a stranger's name is refused as `not_a_member`. */
  readonly lists: boolean;
  readonly editor: MembershipEditor;
  /**
   * The node listens. Where members register themselves, it is registered when this resolves, and anew whenever what it says
   * of itself changes. Called once.
   * @throws member_removed, node_name_held
   */
  announce?(own: ObservableValue<OwnWord>): Promise<void>;
  /** The node ends cleanly: where that is configured, what it registered goes with it. Before `close`. */
  leave?(): Promise<void>;
  close(): Promise<void>;
}
