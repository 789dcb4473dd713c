import type * as grpc from '@grpc/grpc-js';
import type { ShadowReport } from '../authorization/shadow-report.ts';
import type { CredentialsStore } from '../credentials/credentials-store.ts';
import type { ExpiringCertificate } from '../credentials/expiry.ts';
import type { MembershipChange } from '../membership/membership-editor.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Connection, MembershipSourceState, Peer } from '../rpc/control-messages.ts';
import type { ExplainResponse } from '../rpc/explain-messages.ts';
import type { ExplainQuestion } from './explain-question.ts';

export type NodeState = 'starting' | 'ready' | 'degraded' | 'draining';

/** What the services that operators call may ask of the node and tell it to do. */
export interface NodeFacts {
  readonly clusterName: string;
  readonly nodeName: string;
  readonly generation: number;
  readonly version: string;
  readonly startedAt: Date;
  readonly labels: Readonly<Record<string, string>>;
  /** How the node itself stands among the members; its own words where the membership source does not say. */
  membership(): Pick<Peer, 'membershipState' | 'labels' | 'zone' | 'weight'>;
  /** Names that the membership source refuses until they are added again; sorted. */
  removed(): readonly string[];
  state(): NodeState;
  /** What could not be taken of changed files; empty when all is well. */
  problems(): readonly string[];
  /** Where the list of members comes from, and whether that is heard. */
  membershipSources(): readonly MembershipSourceState[];
  /** What an operator should look at although the node is well. */
  notices(): readonly string[];
  /** Certificates that end before long: our own, those of CAs, those of peers; the first to end first. */
  expiring(): readonly ExpiringCertificate[];
  mode(): 'plain' | 'optional' | 'strict';
  advertisedAddresses(): readonly string[];
  peers(): readonly PeerEntry[];
  /** Every open connection, both directions, in full. */
  connections(): readonly Connection[];
  /** Undefined without TLS settings. */
  tls():
    | {
        readonly requireClientAuth: boolean;
        readonly minVersion: string;
        readonly allowedSubjectNames: readonly string[];
      }
    | undefined;
  credentials(): readonly { readonly usage: string; readonly store: CredentialsStore }[];
  /** What is known of a shadow policy so far; undefined where there is none. */
  shadow(): { readonly policy: { readonly name: string }; readonly report: ShadowReport } | undefined;
  explain(question: ExplainQuestion): ExplainResponse;
  reloadTls(): Promise<{ readonly result: string; readonly problems: readonly string[]; readonly generation: number }>;
  /** Begins to drain; does not wait for the end. */
  drain(): void;
  /**
   * Changes who the members are, in the name of `caller`; resolves when it is written. Recorded and logged.
   * @param methodPath which asked for it: `/package.Service/Method`.
   * @throws membership_not_writable, membership_unavailable, member_unknown
   */
  editMembership(change: MembershipChange, caller: Caller, methodPath: string): Promise<void>;
  /** A client whose calls go to a member and fail as soon as it cannot be reached. */
  askMember(nodeName: string): grpc.Client;
}
