import type { OutboundPolicy } from '../connector/trust-profile.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { dnsLookup } from '../membership/dns-lookup.ts';
import { openDnsSource } from '../membership/dns-source.ts';
import { openMembersFile } from '../membership/members-file-source.ts';
import type { MembershipSource } from '../membership/membership-source.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { checkReachable } from './check-reachable.ts';
import type { CredentialSet } from './credential-set.ts';
import type { DataDirectory } from './data-directory.ts';
import { identifyWith } from './identify-address.ts';
import type { MembershipSourceSettings } from './membership-settings.ts';
import type { NodeProblems } from './node-problems.ts';
import type { NodeSettings } from './node-settings.ts';
import { openEtcd } from './open-etcd.ts';

/** What sources of members are made of. */
export interface SourceParts {
  readonly credentials: CredentialSet;
  readonly outbound: ObservableValue<OutboundPolicy>;
  readonly data: DataDirectory;
  readonly settings: ObservableValue<NodeSettings>;
  readonly problems: NodeProblems;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Names of members that this node cannot reach now. */
  readonly unreachable: ObservableValue<ReadonlySet<string>>;
  /** Told of each node that this one refuses to take for a member. */
  readonly refused: (peer: RefusedPeer) => void;
}

/** Opens one source. @throws config_invalid, membership_unavailable */
export function openSource(source: MembershipSourceSettings, parts: SourceParts): Promise<MembershipSource> {
  const { settings, logger, metrics } = parts;
  switch (source.kind) {
    case 'file':
      return openMembersFile({
        file: source.membersFile,
        logger,
        check: members => checkReachable(settings.value, members, source.membersFile),
        onReload: result => metrics.membershipReloads.inc({ result }),
      });
    case 'dns': {
      const { names, minTtlMs, maxTtlMs, timeoutMs } = source;
      const lookUp = dnsLookup(source);
      const { outbound, data, unreachable, refused } = parts;
      const identify = identifyWith({ outbound: () => outbound.value, settings, refused, metrics });
      const self = { name: settings.value.nodeName, generation: data.generation };
      const limits = { minTtlMs, maxTtlMs, openTimeoutMs: timeoutMs };
      return openDnsSource({ names, lookUp, identify, self, unreachable, policy: outbound, ...limits, logger });
    }
    case 'etcd':
      return openEtcd(source, parts);
  }
}
