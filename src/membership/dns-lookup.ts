import type { RecordWithTtl, SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { messageOf } from '../errors/selvedge-error.ts';
import { formatAddress, isWildcardHost, parseAddress, type TcpAddress } from '../identity/address.ts';
import { inParallel } from '../lifecycle/in-parallel.ts';
import { printable } from '../telemetry/logger.ts';
import { type DnsAnswer, type FoundAddress, type LookUp, MAX_DNS_ADDRESSES } from './dns-answer.ts';

/** What DNS is asked, and whom. */
export interface DnsQuestion {
  /** Absolute, with or without the dot at the end. */
  readonly names: readonly string[];
  /** `address`: the A and AAAA records of the names, at `port`. `srv`: their SRV records, with the ports of those. */
  readonly recordType: 'address' | 'srv';
  readonly port: number;
  /** IP addresses of resolvers, with their ports where those are not 53. Empty: those of the system, as they are then. */
  readonly servers: readonly string[];
  /** How long one server may take for all that is asked of it, in milliseconds. */
  readonly timeoutMs: number;
}

/** Questions to one server that are under way at once. */
const MAX_AT_ONCE = 16;
/** UDP loses packets. */
const TRIES = 2;

/** The server said that there is nothing: another one is not asked. */
class Nothing extends Error {}

interface Asker {
  readonly resolver: Resolver;
  /** Aborted when nobody waits any more. */
  readonly over: AbortSignal;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number | undefined;
}

/**
 * A lookup that asks one server after the other until one answers. An answer is complete or none: both families of every
 * name, and every target of SRV records. Records that are missing (NXDOMAIN, no data) are an answer; nothing but those is
 * none, since nobody leaves by an empty answer.
 */
export function dnsLookup(question: DnsQuestion): LookUp {
  return async signal => {
    const servers = question.servers.length > 0 ? question.servers : new Resolver().getServers();
    const failures: string[] = [];
    for (const server of servers) {
      try {
        return await askServer(server, question, signal);
      } catch (error) {
        if (error instanceof Nothing || signal.aborted) throw error;
        failures.push(`${server}: ${printable(messageOf(error))}`);
      }
    }
    throw new Error(failures.join('; '));
  };
}

async function askServer(server: string, question: DnsQuestion, signal: AbortSignal): Promise<DnsAnswer> {
  const { names, timeoutMs } = question;
  // c-ares doubles the time with each try.
  const resolver = new Resolver({ timeout: Math.ceil(timeoutMs / (2 ** TRIES - 1)), tries: TRIES });
  resolver.setServers([server]);
  const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const giveUp = () => resolver.cancel();
  const asker = { resolver, over };
  over.addEventListener('abort', giveUp, { once: true });
  try {
    const targets = (await inParallel(names, MAX_AT_ONCE, name => targetsOf(name, question, asker))).flat();
    const hosts = await inParallel(distinct(targets.map(({ host }) => host)), MAX_AT_ONCE, host =>
      addressesOf(host, asker),
    );
    return answerOf(targets, new Map(hosts.map(found => [found.host, found.records])), names);
  } finally {
    over.removeEventListener('abort', giveUp);
  }
}

async function targetsOf(name: string, question: DnsQuestion, { resolver, over }: Asker): Promise<readonly Target[]> {
  if (question.recordType === 'address') return [{ host: name, port: question.port, priority: 0, weight: undefined }];
  const records = await recordsOf(`SRV of ${name}`, over, () => resolver.resolveSrv(name));
  // A dot alone says that the service is not there (RFC 2782).
  const targets = records.filter(({ name: target }) => target !== '' && target !== '.');
  if (targets.length === 0) throw new Nothing(`SRV of ${name}: there are no records`);
  checkSize(targets.length);
  return targets.map(record => targetOf(name, record));
}

function targetOf(name: string, { name: host, port, priority, weight }: SrvRecord): Target {
  if (port === 0) throw new Error(`SRV of ${name}: the port of ${printable(host)} is 0`);
  return { host, port, priority, weight };
}

async function addressesOf(
  host: string,
  { resolver, over }: Asker,
): Promise<{ host: string; records: RecordWithTtl[] }> {
  const families = await Promise.all([
    recordsOf(`A of ${host}`, over, () => resolver.resolve4(host, { ttl: true })),
    recordsOf(`AAAA of ${host}`, over, () => resolver.resolve6(host, { ttl: true })),
  ]);
  const records = families.flat();
  checkSize(records.length);
  return { host, records };
}

function answerOf(
  targets: readonly Target[],
  hosts: ReadonlyMap<string, readonly RecordWithTtl[]>,
  names: readonly string[],
): DnsAnswer {
  const found = new Map<string, FoundAddress>();
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (const { host, port, priority, weight } of targets.toSorted((a, b) => a.priority - b.priority)) {
    const records = hosts.get(host) ?? [];
    // One of several targets may be gone already; a name that was configured is not.
    if (records.length === 0 && names.includes(host)) throw new Nothing(`${host} has no address`);
    for (const { address: ip, ttl } of records) {
      ttlSeconds = Math.min(ttlSeconds, ttl);
      const address = dialable(host, ip, port);
      const key = formatAddress(address);
      if (!found.has(key)) found.set(key, { address, priority, weight });
    }
  }
  if (found.size === 0) throw new Nothing(`no target of ${names.join(', ')} has an address`);
  checkSize(found.size);
  const sorted = [...found].sort(([a, one], [b, other]) => one.priority - other.priority || (a < b ? -1 : 1));
  return { addresses: sorted.map(([, each]) => each), ttlMs: ttlSeconds * 1_000 };
}

function dialable(host: string, ip: string, port: number): TcpAddress {
  const address = parseAddress(ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);
  if (address.kind !== 'tcp' || isWildcardHost(address))
    throw new Error(`${printable(host)} resolves to ${ip}, where nobody can be dialled`);
  return address;
}

async function recordsOf<Record>(what: string, over: AbortSignal, ask: () => Promise<Record[]>): Promise<Record[]> {
  // To cancel ends only what has begun.
  if (over.aborted) throw new Error(`${printable(what)}: no answer in time`);
  try {
    return await ask();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
    throw new Error(`${printable(what)}: ${FAILURES[code] ?? messageOf(error)}`);
  }
}

function checkSize(count: number): void {
  if (count > MAX_DNS_ADDRESSES) throw new Error(`there are more than ${MAX_DNS_ADDRESSES} records`);
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

/** Of the codes of c-ares, what operators look for. */
const FAILURES: Readonly<Record<string, string>> = {
  EBADRESP: 'the answer cannot be read',
  ECANCELLED: 'no answer in time',
  ECONNREFUSED: 'nobody answers there',
  EFORMERR: 'the server does not understand (FORMERR)',
  ENOTIMP: 'the server does not know how (NOTIMP)',
  EREFUSED: 'the server refuses (REFUSED)',
  ESERVFAIL: 'the server failed (SERVFAIL)',
  ETIMEOUT: 'no answer in time',
};
