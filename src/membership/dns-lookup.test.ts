import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DnsReply, DnsServer } from '../../test/kit/dns-server.ts';
import { formatAddress } from '../identity/address.ts';
import { type DnsAnswer, MAX_DNS_ADDRESSES } from './dns-answer.ts';
import { type DnsQuestion, dnsLookup } from './dns-lookup.ts';

const NAME = 'fabric.example';
/** Nothing in these tests waits for it unless it is about that. */
const PATIENT_MS = 60_000;
const IMPATIENT_MS = 150;

test('both families of all names are one answer, whatever their order, for the shortest TTL', async () => {
  await using dns = await DnsServer.start();
  dns.set('A', NAME, { ttl: 60, records: ['10.0.0.3', '10.0.0.2', '10.0.0.3'] });
  dns.set('AAAA', NAME, { ttl: 30, records: ['fd00::2'] });
  dns.addresses('other.example', ['10.0.0.1'], 90);
  const ask = () => asked(dns, { names: [NAME, 'other.example'] });
  const expected = ['10.0.0.1:5122', '10.0.0.2:5122', '10.0.0.3:5122', '[fd00::2]:5122'];
  const answer = await ask();
  assert.deepEqual([textsOf(answer), answer.ttlMs], [expected, 30_000]);
  dns.set('A', NAME, { ttl: 60, records: ['10.0.0.2', '10.0.0.3'] });
  assert.deepEqual(await ask(), answer);
});

test('what changes within the TTL is seen: nothing is kept from one lookup to the next', async () => {
  await using dns = await DnsServer.start();
  for (const ip of ['10.0.0.2', '10.0.0.3']) {
    dns.addresses(NAME, [ip], 3_600);
    assert.deepEqual(textsOf(await asked(dns)), [`${ip}:5122`]);
  }
});

test('a family without records is none, and nothing at all is no answer', async () => {
  await using dns = await DnsServer.start();
  dns.set('A', NAME, { records: ['10.0.0.2'] }).set('AAAA', NAME, 'NXDOMAIN');
  assert.deepEqual(textsOf(await asked(dns)), ['10.0.0.2:5122']);
  for (const empty of ['NXDOMAIN', { records: [] }] as const) {
    dns.all(empty);
    await assert.rejects(asked(dns), { message: `${NAME} has no address` });
    await assert.rejects(asked(dns, { recordType: 'srv' }), /SRV of fabric\.example: there are no records/);
  }
  dns.addresses('other.example', ['10.0.0.1']);
  await assert.rejects(asked(dns, { names: ['other.example', NAME] }), /fabric\.example has no address/);
});

test('where one family fails, there is no answer', async () => {
  await using dns = await DnsServer.start();
  const cases: Readonly<Record<string, [DnsReply, RegExp]>> = {
    SERVFAIL: ['SERVFAIL', /AAAA of fabric\.example: the server failed \(SERVFAIL\)/],
    REFUSED: ['REFUSED', /AAAA of fabric\.example: the server refuses \(REFUSED\)/],
    NOTIMP: ['NOTIMP', /NOTIMP/],
    FORMERR: ['FORMERR', /FORMERR/],
    silence: ['SILENCE', /AAAA of fabric\.example: no answer in time/],
    garbage: ['GARBAGE', /AAAA of fabric\.example: (the answer cannot be read|no answer in time)/],
    'a message that is cut': ['CUT', /AAAA of fabric\.example: the answer cannot be read/],
    'a message that is truncated': ['TRUNCATED', /AAAA of fabric\.example: /],
  };
  for (const [name, [reply, expected]] of Object.entries(cases)) {
    dns.addresses(NAME, ['10.0.0.2']).set('AAAA', NAME, reply);
    await assert.rejects(asked(dns, { timeoutMs: IMPATIENT_MS }), expected, name);
  }
});

test('SRV records bring ports, weights and an order, and each target counts once', async () => {
  await using dns = await DnsServer.start();
  dns.set('SRV', NAME, {
    ttl: 5,
    records: [
      { target: 'b.example', port: 7_000, priority: 1, weight: 0 },
      { target: 'a.example', port: 7_001, priority: 0, weight: 30 },
      { target: 'a.example', port: 7_001, priority: 9, weight: 1 },
      { target: 'gone.example', port: 7_001, priority: 0, weight: 1 },
    ],
  });
  dns.addresses('a.example', ['10.0.0.1', 'fd00::1'], 40).addresses('b.example', ['10.0.0.2'], 50);
  const answer = await asked(dns, { recordType: 'srv' });
  assert.deepEqual(
    answer.addresses.map(({ address, priority, weight }) => [formatAddress(address), priority, weight]),
    [
      ['10.0.0.1:7001', 0, 30],
      ['[fd00::1]:7001', 0, 30],
      ['10.0.0.2:7000', 1, 0],
    ],
  );
  assert.equal(answer.ttlMs, 40_000);
  dns.set('A', 'b.example', 'SERVFAIL');
  await assert.rejects(asked(dns, { recordType: 'srv' }), /A of b\.example: the server failed/);
});

test('SRV records that cannot be meant are no answer', async () => {
  await using dns = await DnsServer.start();
  dns.set('SRV', NAME, { records: [{ target: '', port: 0 }] });
  await assert.rejects(asked(dns, { recordType: 'srv' }), /there are no records/);
  dns.set('SRV', NAME, { records: [{ target: 'a.example', port: 0 }] });
  await assert.rejects(asked(dns, { recordType: 'srv' }), /the port of a\.example is 0/);
  dns.set('SRV', NAME, { records: [{ target: 'gone.example', port: 1 }] });
  await assert.rejects(asked(dns, { recordType: 'srv' }), /no target of fabric\.example has an address/);
  for (const ip of ['0.0.0.0', '::']) {
    dns.addresses(NAME, [ip, '10.0.0.2']);
    await assert.rejects(asked(dns), /where nobody can be dialled/);
  }
});

test('what is too long for UDP is asked for over TCP', async () => {
  await using dns = await DnsServer.start();
  await dns.serveTcp();
  dns.maxUdpBytes = 512;
  const hosts = Array.from({ length: 200 }, (_, index) => `10.0.1.${index + 1}`);
  dns.addresses(NAME, hosts);
  assert.equal((await asked(dns)).addresses.length, 200);
});

test('more addresses than a cluster has are no answer', async () => {
  await using dns = await DnsServer.start();
  const count = MAX_DNS_ADDRESSES / 2 + 1;
  const name = (index: number) => `${index}.example`;
  const host = (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
  const names = [0, 1].map(name);
  for (const [half, each] of names.entries())
    dns.addresses(
      each,
      Array.from({ length: count }, (_, index) => host(half * count + index)),
    );
  await assert.rejects(asked(dns, { names }), /more than 4096 records/);
});

test('a server that does not answer well is followed by the next one; one that says there is nothing is believed', async () => {
  await using broken = await DnsServer.start();
  await using good = await DnsServer.start();
  broken.all('SERVFAIL');
  good.addresses(NAME, ['10.0.0.2']);
  const servers = [broken.address, good.address];
  assert.deepEqual(textsOf(await asked(good, { servers })), ['10.0.0.2:5122']);
  broken.all('NXDOMAIN');
  await assert.rejects(asked(good, { servers }), /fabric\.example has no address/);
  broken.all('REFUSED');
  good.all('SERVFAIL');
  const both = new RegExp(`${broken.address}: .*REFUSED\\); ${good.address}: .*SERVFAIL\\)$`);
  await assert.rejects(asked(good, { servers }), both);
});

test('who does not want to know any more waits for nobody', async () => {
  await using dns = await DnsServer.start();
  dns.all('SILENCE');
  const abort = new AbortController();
  const question = dnsLookup(questionTo(dns))(abort.signal);
  abort.abort();
  await assert.rejects(question);
});

function asked(dns: DnsServer, changes: Partial<DnsQuestion> = {}): Promise<DnsAnswer> {
  return dnsLookup({ ...questionTo(dns), ...changes })(new AbortController().signal);
}

function questionTo(dns: DnsServer): DnsQuestion {
  return { names: [NAME], recordType: 'address', port: 5_122, servers: [dns.address], timeoutMs: PATIENT_MS };
}

function textsOf({ addresses }: DnsAnswer): readonly string[] {
  return addresses.map(({ address }) => formatAddress(address));
}
