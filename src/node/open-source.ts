import type { OutboundPolicy } from '../connector/trust-profile.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { openMembersFile } from '../membership/members-file-source.ts';
import type { MembershipSource } from '../membership/membership-source.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { checkReachable } from './check-reachable.ts';
import type { CredentialSet } from './credential-set.ts';
import type { DataDirectory } from './data-directory.ts';
import type { MembershipSourceSettings } from './membership-settings.ts';
import type { NodeSettings } from './node-settings.ts';

/** What sources of members are made of. */
export interface SourceParts {
  readonly credentials: CredentialSet;
  readonly outbound: ObservableValue<OutboundPolicy>;
  readonly data: DataDirectory;
  readonly settings: ObservableValue<NodeSettings>;
  readonly logger: Logger;
  readonly metrics: Metrics;
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
    case 'dns':
    case 'etcd':
      throw new SelvedgeError('membership_unavailable', `${source.kind} is not there yet`, {
        source: source.kind,
        problem: 'not there yet',
      });
  }
}
