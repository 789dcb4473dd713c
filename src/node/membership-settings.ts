import type { CredentialSpec } from '../credentials/open-credential-source.ts';
import type { TcpAddress } from '../identity/address.ts';
import type { DnsRecordType, EtcdLeave } from './membership-options.ts';

export interface MembershipSettings {
  /** At least one, each kind once. The first is the one that is changed by the control services. */
  readonly sources: readonly MembershipSourceSettings[];
}

export type MembershipSourceSettings = FileMembershipSettings | DnsMembershipSettings | EtcdMembershipSettings;

export interface FileMembershipSettings {
  readonly kind: 'file';
  readonly membersFile: string;
}

export interface DnsMembershipSettings {
  readonly kind: 'dns';
  /** Lower case, without the dot at the end. */
  readonly names: readonly string[];
  readonly recordType: DnsRecordType;
  readonly port: number;
  /** As `node:dns` takes them. Empty: those of the system. */
  readonly servers: readonly string[];
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  readonly timeoutMs: number;
}

export interface EtcdMembershipSettings {
  readonly kind: 'etcd';
  /** All of one scheme. */
  readonly endpoints: readonly TcpAddress[];
  /** Ends with the name of the cluster and a slash. */
  readonly prefix: string;
  readonly leaseTtlMs: number;
  readonly leave: EtcdLeave;
  readonly requestTimeoutMs: number;
  /** Undefined over plaintext. */
  readonly credentials: CredentialSpec | undefined;
  readonly allowUnguarded: boolean;
}
