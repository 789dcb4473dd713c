import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseAddress, type TcpAddress } from '../identity/address.ts';
import {
  DNS_RECORD_TYPES,
  type DnsMembershipOptions,
  ETCD_LEAVES,
  type EtcdMembershipOptions,
  MEMBERSHIP_SOURCES,
  type MembershipOptions,
  type MembershipSourceName,
} from './membership-options.ts';
import type {
  DnsMembershipSettings,
  EtcdMembershipSettings,
  FileMembershipSettings,
  MembershipSettings,
  MembershipSourceSettings,
} from './membership-settings.ts';
import type { TlsOptions } from './node-options.ts';
import type { OptionProblems } from './option-problems.ts';
import { namesCredentials, resolveCredentials } from './resolve-credentials.ts';
import { outboundCredentials } from './resolve-tls.ts';

const MEMBERSHIP = ['membership'];
const DNS = [...MEMBERSHIP, 'dns'];
const ETCD = [...MEMBERSHIP, 'etcd'];
/** RFC 1035, and the underscore of service names (RFC 2782). */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** etcd takes whole seconds, and keeping a shorter one alive leaves no room for anything that is slow. */
const MIN_LEASE_TTL_MS = 5_000;

/** What the sources look at beside their own options. */
export interface MembershipContext {
  readonly clusterName: string;
  /** Undefined without TLS. */
  readonly tls: TlsOptions | undefined;
}

export function resolveMembership(
  membership: MembershipOptions | undefined,
  context: MembershipContext,
  found: OptionProblems,
): MembershipSettings | undefined {
  if (membership === undefined) return undefined;
  const kinds = sourcesOf(membership.source, found);
  checkUnused(membership, kinds, found);
  const resolved: { readonly [Kind in MembershipSourceName]: () => MembershipSourceSettings } = {
    file: () => fileSource(membership.membersFile, found),
    dns: () => dnsSource(membership.dns, context, found),
    etcd: () => etcdSource(membership.etcd, context, found),
  };
  return { sources: kinds.map(kind => resolved[kind]()) };
}

function sourcesOf(
  source: MembershipOptions['source'] | undefined,
  found: OptionProblems,
): readonly MembershipSourceName[] {
  const path = [...MEMBERSHIP, 'source'];
  const given = source === undefined ? [] : typeof source === 'string' ? [source] : source;
  const words = MEMBERSHIP_SOURCES.map(word => `"${word}"`).join(', ');
  if (given.length === 0) found.add(path, 'This is missing.', `Use ${words}, or a list of them.`);
  if (new Set(given).size < given.length) found.add(path, 'A source is named twice.', 'Name each one once.');
  return given.flatMap(each => found.oneOf(path, each, MEMBERSHIP_SOURCES) ?? []);
}

/** Nothing is accepted and ignored. */
function checkUnused(
  membership: MembershipOptions,
  kinds: readonly MembershipSourceName[],
  found: OptionProblems,
): void {
  const users = { membersFile: 'file', dns: 'dns', etcd: 'etcd' } as const;
  for (const [option, kind] of Object.entries(users) as [keyof typeof users, MembershipSourceName][]) {
    if (membership[option] === undefined || kinds.includes(kind) || kinds.length === 0) continue;
    found.add(
      [...MEMBERSHIP, option],
      `The source ${kinds.map(each => `"${each}"`).join(', ')} does not use it.`,
      `Remove it, or name "${kind}" in \`membership.source\` too.`,
    );
  }
}

function fileSource(membersFile: string | undefined, found: OptionProblems): FileMembershipSettings {
  const given = found.required([...MEMBERSHIP, 'membersFile'], membersFile, 'which TOML file lists the members');
  return { kind: 'file', membersFile: resolve(given) };
}

function dnsSource(
  options: DnsMembershipOptions | undefined,
  { tls }: MembershipContext,
  found: OptionProblems,
): DnsMembershipSettings {
  const { names = [], recordType = 'address', port, servers = [] } = options ?? {};
  if (names.length === 0)
    found.add([...DNS, 'names'], 'This is missing.', 'Say which name has the addresses of the members.');
  const srv = recordType === 'srv';
  if (srv && port !== undefined)
    found.add(
      [...DNS, 'port'],
      'SRV records tell the port themselves.',
      'Remove it, or use the record type "address".',
    );
  if (tls !== undefined && tls.mode !== 'plain' && tls.nodeIdentity === undefined)
    found.add(
      [...MEMBERSHIP, 'source'],
      'DNS names no members; each says its own name, and nothing would prove it.',
      'Set `networking.tls.nodeIdentity`.',
    );
  const minTtlMs = found.durationMs([...DNS, 'minTtlMs'], options?.minTtlMs ?? 5_000);
  const maxTtlMs = found.durationMs([...DNS, 'maxTtlMs'], options?.maxTtlMs ?? Math.max(300_000, minTtlMs));
  if (maxTtlMs < minTtlMs) found.add([...DNS, 'maxTtlMs'], 'This is less than `membership.dns.minTtlMs`.');
  return {
    kind: 'dns',
    names: found.parseList([...DNS, 'names'], names, parseDnsName),
    recordType: found.oneOf([...DNS, 'recordType'], recordType, DNS_RECORD_TYPES) ?? 'address',
    port: found.count([...DNS, 'port'], port ?? 5122, 1, 65_535),
    servers: found.parseList([...DNS, 'servers'], servers, parseResolver),
    minTtlMs,
    maxTtlMs,
    timeoutMs: found.durationMs([...DNS, 'timeoutMs'], options?.timeoutMs ?? 5_000),
  };
}

function parseDnsName(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (isIP(name) !== 0) throw new TypeError(`"${text}" is an address, not a name.`);
  if (!DNS_NAME.test(name)) throw new TypeError(`"${text}" is not a DNS name.`);
  return name;
}

/** As `node:dns` takes it. */
function parseResolver(text: string): string {
  const [, bracketed, plain, port = '53'] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  const family = isIP(host);
  if (family === 0 || Number(port) < 1 || Number(port) > 65_535)
    throw new TypeError(`"${text}" is not the address of a resolver. Write an IP address and a port: "10.96.0.10:53".`);
  return family === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function etcdSource(
  options: EtcdMembershipOptions | undefined,
  context: MembershipContext,
  found: OptionProblems,
): EtcdMembershipSettings {
  const { endpoints: given = [], prefix = '/selvedge/', leave = 'when-removed' } = options ?? {};
  const path = [...ETCD, 'endpoints'];
  if (given.length === 0)
    found.add(path, 'This is missing.', 'Say where etcd listens, such as "https://10.0.0.1:2379".');
  const endpoints = found.parseList(path, given, parseEndpoint);
  const schemes = new Set(endpoints.map(({ scheme }) => scheme));
  if (schemes.size > 1) found.add(path, 'Some speak TLS and some do not.', 'Give all of them the same scheme.');
  const leaseTtlMs = found.durationMs([...ETCD, 'leaseTtlMs'], options?.leaseTtlMs ?? 30_000);
  if (leaseTtlMs < MIN_LEASE_TTL_MS || leaseTtlMs % 1_000 !== 0)
    found.add([...ETCD, 'leaseTtlMs'], 'A lease lasts whole seconds, at least 5.', 'Say "30s".');
  if (!/^(\/[\x21-\x2e\x30-\x7e]+)+\/$/.test(prefix))
    found.add([...ETCD, 'prefix'], `"${prefix}" is no prefix of keys.`, 'Begin and end it with a slash: "/selvedge/".');
  return {
    kind: 'etcd',
    endpoints,
    prefix: `${prefix}${context.clusterName}/`,
    leaseTtlMs,
    leave: found.oneOf([...ETCD, 'leave'], leave, ETCD_LEAVES) ?? 'when-removed',
    requestTimeoutMs: found.durationMs([...ETCD, 'requestTimeoutMs'], options?.requestTimeoutMs ?? 5_000),
    credentials: etcdCredentials(options ?? { endpoints: [] }, schemes.has('https'), context, found),
    allowUnguarded: options?.allowUnguarded ?? false,
  };
}

function etcdCredentials(
  options: EtcdMembershipOptions,
  overTls: boolean,
  { tls }: MembershipContext,
  found: OptionProblems,
): EtcdMembershipSettings['credentials'] {
  if (overTls) return resolveCredentials(ETCD, options, tls && outboundCredentials(tls), found).spec;
  if (options.endpoints.length === 0) return undefined;
  if (namesCredentials(options))
    found.add([...ETCD, 'endpoints'], 'Credentials are of no use over plaintext.', 'Say https.');
  else
    found.warn(
      [...ETCD, 'endpoints'],
      'Over plaintext, whoever is on the way to etcd can say who the members are.',
      'Say https.',
    );
  return undefined;
}

function parseEndpoint(text: string): TcpAddress {
  const address = parseAddress(text);
  if (address.kind === 'tcp' && address.scheme !== undefined && /:\d+$/.test(text) && address.port !== 0)
    return address;
  throw new TypeError(`"${text}" is not an endpoint of etcd. Write it with scheme and port: "https://10.0.0.1:2379".`);
}
