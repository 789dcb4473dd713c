import type { MembershipSource } from '../membership/membership-source.ts';
import { openEtcdSource } from '../membership/open-etcd-source.ts';
import type { CredentialUse } from './credential-set.ts';
import { openEtcdConnection } from './etcd-connection.ts';
import type { EtcdMembershipSettings } from './membership-settings.ts';
import type { NodeSettings } from './node-settings.ts';
import type { SourceParts } from './source-parts.ts';

/** What the credentials towards etcd are called wherever those of the server and the client are. */
const USAGE = 'etcd';

/** The credentials that the sources of members need beside those of the fabric. */
export function membershipCredentials({ membership }: Pick<NodeSettings, 'membership'>): readonly CredentialUse[] {
  return (membership?.sources ?? []).flatMap(source =>
    source.kind === 'etcd' && source.credentials !== undefined ? [{ usage: USAGE, spec: source.credentials }] : [],
  );
}

/** Its credentials must be open. @throws membership_unavailable, config_invalid */
export function openEtcd(etcd: EtcdMembershipSettings, parts: SourceParts): Promise<MembershipSource> {
  const { settings, credentials, problems, logger } = parts;
  const { prefix, leaseTtlMs, leave, requestTimeoutMs, allowUnguarded } = etcd;
  const { nodeName, dataDir } = settings.value;
  const trust = etcd.credentials === undefined ? undefined : credentials.storeOf(etcd.credentials).snapshot;
  const teller = {};
  return openEtcdSource({
    connection: openEtcdConnection({ etcd, settings, trust, logger }),
    prefix,
    nodeName,
    dataDir,
    leaseTtlMs,
    leave,
    startTimeoutMs: etcd.endpoints.length * requestTimeoutMs,
    requestTimeoutMs,
    allowUnguarded,
    logger,
    onProblem: problem => problems.set('registration', problem, teller),
  });
}
