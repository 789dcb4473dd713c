/** What this node may send over a peer stream, as of now. Cheap enough for every call and message. */
export interface StreamWay {
  /**
   * Whether a call may go over it: it reaches who an ordinary call would reach, as well protected, and comes from the
   * principal that an ordinary call would come from. Where it may not it goes the ordinary way.
   */
  takesCalls(): boolean;
  /** Whether a message may: it reaches who bears the name of the node. There is no other way for it. */
  takesMessages(): boolean;
}
