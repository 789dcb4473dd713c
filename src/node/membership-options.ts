import { ETCD_LEAVES, type EtcdLeave } from '../membership/etcd-leave.ts';
import type { CredentialOptions } from './credential-options.ts';

/** Where the list of members can come from. */
export const MEMBERSHIP_SOURCES = ['file', 'dns', 'etcd'] as const;
export type MembershipSourceName = (typeof MEMBERSHIP_SOURCES)[number];

/** Who the members are. */
export interface MembershipOptions {
  /**
   * One source, or several: then a member is who any of them lists, with the entry of the first that does, and the first is
   * the one that is changed by the control services. A name that any of them removed is none.
   */
  readonly source: MembershipSourceName | readonly MembershipSourceName[];
  /** TOML with `[[member]]` tables; watched. With the source `file`. */
  readonly membersFile?: string;
  /** With the source `dns`. */
  readonly dns?: DnsMembershipOptions;
  /** With the source `etcd`. */
  readonly etcd?: EtcdMembershipOptions;
}

export const DNS_RECORD_TYPES = ['address', 'srv'] as const;
export type DnsRecordType = (typeof DNS_RECORD_TYPES)[number];

/** Members whose addresses are told by DNS, such as by a headless service of Kubernetes. */
export interface DnsMembershipOptions {
  /** Absolute names; search lists are not used. */
  readonly names: readonly string[];
  /** `address`: A and AAAA records, with `port`. `srv`: SRV records, whose ports and weights count. Default `address`. */
  readonly recordType?: DnsRecordType;
  /** With `address`. Default 5122. */
  readonly port?: number;
  /** `host:port` of resolvers, IP addresses. Default: those of the system. */
  readonly servers?: readonly string[];
  /** An answer counts at least this long. Default 5,000. */
  readonly minTtlMs?: number;
  /** An answer counts at most this long. Default 300,000. */
  readonly maxTtlMs?: number;
  /** How long one resolver may take for all that it is asked at a time, and the start of the node for the first answers. Default 5,000. */
  readonly timeoutMs?: number;
}

export { ETCD_LEAVES, type EtcdLeave };

/** Members that register themselves in etcd (v3). Credentials that are left out are those with which this node dials. */
export interface EtcdMembershipOptions extends CredentialOptions {
  /** `https://host:port`, any number of the same cluster. */
  readonly endpoints: readonly string[];
  /** Keys are below this, the name of the cluster, and a slash. Default `/selvedge/`. */
  readonly prefix?: string;
  /** How long etcd keeps the name of this node for it while it is not heard. Default 30,000. */
  readonly leaseTtlMs?: number;
  /**
   * `when-removed`: a registration stays until somebody removes the node. `when-drained`: also until the node drains.
   * `when-lost`: also until its lease ends. Default `when-removed`.
   */
  readonly leave?: EtcdLeave;
  /** Of one call. Default 5,000. */
  readonly requestTimeoutMs?: number;
  /** Whether a node may run although etcd would let it write the registration of another one. Default false. */
  readonly allowUnguarded?: boolean;
}
