import { dnsLookup } from '../membership/dns-lookup.ts';
import { openDnsSource } from '../membership/dns-source.ts';
import { openMembersFile } from '../membership/members-file-source.ts';
import type { MembershipSource } from '../membership/membership-source.ts';
import { checkReachable } from './check-reachable.ts';
import { identifyWith } from './identify-address.ts';
import type { MembershipSourceSettings } from './membership-settings.ts';
import { openEtcd } from './open-etcd.ts';
import type { SourceParts } from './source-parts.ts';

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
      const { outbound, data, unreachable, tlsMemory, refused } = parts;
      const identify = identifyWith({ outbound: () => outbound.value, settings, refused, metrics });
      const self = { name: settings.value.nodeName, generation: data.generation };
      const limits = { minTtlMs, maxTtlMs, openTimeoutMs: timeoutMs };
      const refusesDowngrade = () => settings.value.tls?.refuseDowngrade ?? false;
      const follows = { unreachable, policy: outbound, refusesDowngrade, memory: tlsMemory };
      return openDnsSource({ names, lookUp, identify, self, ...follows, ...limits, logger });
    }
    case 'etcd':
      return openEtcd(source, parts);
  }
}
