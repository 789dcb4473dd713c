import type { Unreachable } from './control-messages.ts';

// The part of `proto/selvedge/control/v1/control.proto` about roots; see `control-messages.ts`.

export interface CaState {
  readonly nodeName: string;
  readonly usages: readonly CaUsage[];
  readonly addressesRedacted: boolean;
}

export interface CaUsage {
  /** server, client or the name of a profile. */
  readonly usage: string;
  readonly trustGeneration: number;
  readonly roots: readonly CaRoot[];
  readonly leafRoots: readonly string[];
}

export interface CaRoot {
  readonly subject: string;
  readonly fingerprintSha256: string;
  readonly notAfterMs: number;
}

export interface CaStatus {
  readonly roots: readonly RootStatus[];
  readonly members: number;
  readonly unknown: number;
  readonly unreachable: readonly Unreachable[];
  readonly addressesRedacted: boolean;
}

export interface RootStatus extends CaRoot {
  readonly trustedAsServer: number;
  readonly trustedAsClient: number;
  readonly trustedByProfiles: number;
  readonly presented: number;
  readonly members: readonly RootMember[];
  /** Null when a node of the wire left it out; our own always send it. */
  readonly switch: RootVerdict | null;
  readonly drop: RootVerdict | null;
}

export interface RootMember {
  readonly nodeName: string;
  readonly trustedAs: readonly string[];
  readonly presentedAs: readonly string[];
}

export interface RootVerdict {
  readonly safe: boolean;
  readonly inTheWay: number;
  readonly obstacles: readonly RootObstacle[];
}

export interface RootObstacle {
  readonly nodeName: string;
  readonly reason: string;
}
