import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { formatAddress } from '../../src/identity/address.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { constant } from '../../src/lifecycle/observable-value.ts';
import { dnsLookup } from '../../src/membership/dns-lookup.ts';
import { openDnsSource } from '../../src/membership/dns-source.ts';
import { openMembersFile } from '../../src/membership/members-file-source.ts';
import type { MembershipSource } from '../../src/membership/membership-source.ts';
import { NO_MEMORY } from '../../src/membership/tls-memory.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { DnsServer, type SrvTarget } from '../kit/dns-server.ts';
import { ETCD_PREFIX, openTestEtcdSource } from '../kit/etcd-source.ts';
import { startFakeEtcd } from '../kit/fake-etcd.ts';

/** Members by name, each with its port on loopback. */
export type Published = Readonly<Record<string, number>>;

/** Where a source hears of members, as a test steers it. */
export interface MembershipPlace {
  open(logger: Logger): Promise<MembershipSource>;
  /** The truth from now on, however often it is told. */
  publish(members: Published): Promise<void>;
  /** The same, and it takes its time: what is told comes late, or in pieces. */
  publishSlowly(members: Published): Promise<void>;
  /** One member is told twice, in the way that the place knows. */
  publishTwice(members: Published, name: string): Promise<void>;
  /** What cannot be understood stands there, in place of everybody or beside them. */
  publishGarbage(): Promise<void>;
  /** Whether garbage freezes it: not where each member speaks for itself, since one must not freeze all others. */
  readonly garbageFreezes: boolean;
  /** Nobody is listed, without a word of why. */
  publishNobody(): Promise<void>;
  /** It cannot be heard; what is published meanwhile is there afterwards. */
  lose(): Promise<void>;
  restore(): Promise<void>;
}

export type MakeMembershipPlace = (t: TestContext) => Promise<MembershipPlace>;

export const MEMBERSHIP_PLACES: Readonly<Record<string, MakeMembershipPlace>> = {
  file: filePlace,
  dns: dnsPlace,
  etcd: etcdPlace,
};

async function filePlace(t: TestContext): Promise<MembershipPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-place-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'members.toml');
  let text = '';
  let isLost = false;
  const write = async (content: string) => {
    text = content;
    if (!isLost) await writeFileAtomic(file, content, 0o600);
  };
  const tables = (members: Published) =>
    Object.entries(members).map(([name, port]) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${port}"\n`);
  return {
    open: logger => openMembersFile({ file, logger, check: () => {} }),
    publish: members => write(tables(members).join('')),
    publishSlowly: async members => {
      text = tables(members).join('');
      const half = text.length / 2;
      // As an editor that does not replace the file.
      await writeFile(file, text.slice(0, half));
      await appendFile(file, text.slice(half));
    },
    publishTwice: (members, name) => write([...tables(members), ...tables({ [name]: members[name] ?? 1 })].join('')),
    publishGarbage: () => write('[[member]\nname = \u0000'),
    garbageFreezes: true,
    publishNobody: () => write(''),
    lose: async () => {
      isLost = true;
      await rm(file);
    },
    restore: () => {
      isLost = false;
      return write(text);
    },
  };
}

/** SRV records at a name server of the test; the nodes are a table that says who answers at a port. */
async function dnsPlace(t: TestContext): Promise<MembershipPlace> {
  const server = await DnsServer.start();
  t.after(() => server[Symbol.asyncDispose]());
  const name = 'fabric.test';
  const holders = new Map<string, string>();
  let isLost = false;
  let truth: readonly SrvTarget[] | 'GARBAGE' | 'NXDOMAIN' = 'NXDOMAIN';
  const say = () => {
    if (isLost) return void server.all('SILENCE');
    if (typeof truth === 'string') return void server.all(truth);
    server.all('NXDOMAIN').set('SRV', name, { records: truth }).addresses('host.test', ['127.0.0.1']);
  };
  const take = async (next: typeof truth) => {
    truth = next;
    say();
  };
  const records = (members: Published) => {
    for (const [member, port] of Object.entries(members)) holders.set(`127.0.0.1:${port}`, member);
    return Object.values(members).map(port => ({ target: 'host.test', port }));
  };
  return {
    open: logger =>
      openDnsSource({
        names: [name],
        lookUp: dnsLookup({ names: [name], recordType: 'srv', port: 0, servers: [server.address], timeoutMs: 300 }),
        identify: async address => {
          const holder = holders.get(formatAddress(address));
          if (holder === undefined) throw new Error('nobody answers');
          return { name: holder, generation: 1, isProven: true, labels: {} };
        },
        self: { name: 'node-1', generation: 1 },
        unreachable: constant(new Set<string>()),
        policy: constant({ mode: 'strict' as const }),
        refusesDowngrade: () => false,
        memory: constant(NO_MEMORY),
        minTtlMs: 10,
        maxTtlMs: 20,
        openTimeoutMs: 10_000,
        logger,
      }),
    publish: members => take(records(members)),
    publishSlowly: members => {
      server.delayMs = 100;
      return take(records(members));
    },
    publishTwice: (members, twice) => take([...records(members), ...records({ [twice]: members[twice] ?? 1 })]),
    publishGarbage: () => take('GARBAGE'),
    garbageFreezes: true,
    publishNobody: () => take('NXDOMAIN'),
    lose: async () => {
      isLost = true;
      say();
    },
    restore: async () => {
      isLost = false;
      say();
    },
  };
}

/** Nodes register themselves: each is a key, which goes with it. The place itself holds nobody's name. */
async function etcdPlace(t: TestContext): Promise<MembershipPlace> {
  const etcd = await startFakeEtcd(t);
  const keyOf = (name: string) => `${ETCD_PREFIX}nodes/${name}`;
  const registrationAt = (port: number) => ({ addresses: [`http://127.0.0.1:${port}`], generation: 1 });
  let written = new Set<string>();
  const write = (members: Published, more: Readonly<Record<string, string>> = {}) => {
    const values = Object.entries(members).map(([name, port]): [string, object] => [keyOf(name), registrationAt(port)]);
    const gone = [...written].filter(key => !values.some(([other]) => other === key));
    written = new Set([...values.map(([key]) => key), ...Object.keys(more)]);
    etcd.write({ ...Object.fromEntries(gone.map(key => [key, undefined])), ...Object.fromEntries(values), ...more });
  };
  return {
    open: async logger => {
      const opened = await openTestEtcdSource(t, { port: etcd.port, nodeName: 'observer', isAnnounced: false, logger });
      return opened.source;
    },
    publish: async members => write(members),
    // It hangs for a while, and then ends the watches that it let wait.
    publishSlowly: async members => {
      etcd.isSilent = true;
      write(members);
      setTimeout(() => {
        etcd.isSilent = false;
        etcd.cancelWatches('too slow');
      }, 300);
    },
    // By an operator too, who says the same.
    publishTwice: async (members, name) =>
      write(members, {
        [`${ETCD_PREFIX}members/${name}`]: JSON.stringify({
          state: 'active',
          addresses: registrationAt(members[name] ?? 1).addresses,
          by: 'ops',
          atMs: 1,
        }),
      }),
    publishGarbage: async () => {
      // Of one who was understood before, and of one who never was.
      for (const name of ['node-2', 'garbage']) {
        written.add(keyOf(name));
        etcd.write({ [keyOf(name)]: '{"addresses":' });
      }
    },
    garbageFreezes: false,
    publishNobody: async () => etcd.deleteAll(),
    lose: () => etcd.stop(),
    restore: () => etcd.start(),
  };
}
