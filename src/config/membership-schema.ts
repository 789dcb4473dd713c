import { CREDENTIAL_SOURCES } from '../node/credential-options.ts';
import {
  DNS_RECORD_TYPES,
  type DnsMembershipOptions,
  ETCD_LEAVES,
  type EtcdMembershipOptions,
  MEMBERSHIP_SOURCES,
  type MembershipOptions,
} from '../node/membership-options.ts';
import { type Field, table, value } from './field.ts';
import {
  count,
  duration,
  flag,
  listOfWords,
  oneOf,
  path,
  pathList,
  socketPath,
  text,
  textList,
} from './value-types.ts';

const dns = table<DnsMembershipOptions>('dns', {
  names: value('names', textList, {
    meaning: 'The names that have the addresses of the members, absolute: search lists are not used.',
    otherwise: 'required in this table',
  }),
  recordType: value('record-type', oneOf(DNS_RECORD_TYPES), {
    meaning: '`address`: A and AAAA records, with `port`. `srv`: SRV records, whose ports and weights count.',
    default: '"address"',
  }),
  port: value('port', count, {
    meaning: 'Where the members listen, with the record type `address`.',
    default: '5122',
  }),
  servers: value('servers', textList, {
    meaning: 'The resolvers to ask, as IP address and port: `10.96.0.10:53`.',
    otherwise: 'those of the system',
  }),
  minTtlMs: value('min-ttl', duration, {
    meaning: 'An answer counts at least this long, whatever its TTL.',
    default: '"5s"',
  }),
  maxTtlMs: value('max-ttl', duration, {
    meaning: 'An answer counts at most this long.',
    default: '"5m"',
  }),
  timeoutMs: value('timeout', duration, {
    meaning:
      'How long one resolver may take for all that it is asked at a time, and the start of a node for the first answers.',
    default: '"5s"',
  }),
});

const INHERITED = 'that of `networking.tls.client`';

const etcd = table<EtcdMembershipOptions>('etcd', {
  endpoints: value('endpoints', textList, {
    meaning: 'Where etcd listens, with scheme and port: `https://10.0.0.1:2379`. Any number of one etcd cluster.',
    otherwise: 'required in this table',
  }),
  prefix: value('prefix', text, {
    meaning: 'The keys of this cluster are below it, `cluster-name` and a slash.',
    default: '"/selvedge/"',
  }),
  leaseTtlMs: value('lease-ttl', duration, {
    meaning: 'How long etcd keeps the name of this node for it while it is not heard. Whole seconds, at least 5.',
    default: '"30s"',
  }),
  leave: value('leave', oneOf(ETCD_LEAVES), {
    meaning:
      'When this node stops being a member: `when-removed` by somebody, `when-drained` also at its own clean end, `when-lost` also at the end of its lease.',
    default: '"when-removed"',
  }),
  requestTimeoutMs: value('request-timeout', duration, {
    meaning: 'Deadline of one call to etcd.',
    default: '"5s"',
  }),
  allowUnguarded: value('allow-unguarded', flag, {
    meaning: 'Run although etcd would let this node write the registration of another one.',
    default: 'false',
  }),
  source: value('source', oneOf(CREDENTIAL_SOURCES), {
    meaning:
      'Where the credentials for etcd come from. Another source than that of `networking.tls.client` inherits no file from there.',
    otherwise: INHERITED,
  }),
  certFile: value('cert-file', path, { meaning: 'Certificate shown to etcd.', otherwise: INHERITED }),
  keyFile: value('key-file', path, { meaning: 'Its private key.', otherwise: INHERITED }),
  bundleFile: value('bundle-file', path, {
    meaning: 'With the source `bundle`: certificate chain and private key in one file.',
    otherwise: INHERITED,
  }),
  directory: value('directory', path, {
    meaning: 'With the source `directory`: the directory that holds them.',
    otherwise: INHERITED,
  }),
  workloadApiSocket: value('workload-api-socket', socketPath, {
    meaning: 'With the source `spiffe` or `auto`: where the agent listens.',
    otherwise: `${INHERITED}, or of \`SPIFFE_ENDPOINT_SOCKET\``,
  }),
  caFiles: value('ca-file', pathList, { meaning: 'Trust anchors for the servers of etcd.', otherwise: INHERITED }),
  crlFiles: value('crl-file', pathList, { meaning: 'Revocation lists for the servers of etcd.', otherwise: INHERITED }),
});

/** `[membership]` and what is below it. */
export const membership: Field<MembershipOptions> = table<MembershipOptions>('membership', {
  source: value('source', listOfWords(MEMBERSHIP_SOURCES), {
    meaning:
      'Where the list of members comes from. Of several sources, a member is who any of them lists, and the first one is changed by `selvedgectl nodes`.',
    otherwise: 'required in this table',
  }),
  membersFile: value('members-file', path, {
    meaning: 'TOML with `[[member]]` tables; watched, and taken while running.',
    otherwise: 'required with the source `file`',
  }),
  dns,
  etcd,
});
