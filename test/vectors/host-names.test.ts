import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { certificateCoversHost } from '../../src/identity/host-name.ts';
import type { PeerIdentity } from '../../src/identity/peer-identity.ts';

const file = new URL('../../../shared/vectors/host-names.json', import.meta.url);
const skip = existsSync(file) ? false : 'the folder of test vectors is not here';

interface Case {
  readonly id: string;
  readonly group: string;
  readonly input: {
    readonly san_dns?: readonly string[];
    readonly san_ip?: readonly string[];
    readonly subjectaltname?: string | null;
    readonly host?: string;
    readonly hosts_any?: readonly string[];
  };
  readonly expect: 'accept' | 'reject';
  readonly disputed?: boolean;
  readonly partial_wildcard?: boolean;
  readonly trailing_dot?: boolean;
}

/** Where one suite follows a rule that RFC 9525 and the contract do not have. */
const OTHER_RULES: Readonly<Record<string, string>> = {
  'hostname_san/go/12': 'Go compares names that are no DNS names (an empty label) as plain text',
  'hostname_san/go/28': 'Go compares names that are no DNS names (a colon) as plain text',
  'hostname_san/nats/12': 'NATS lets a wildcard stand over a single label',
  'hostname_san/nats/13': 'NATS lets a wildcard stand alone',
  'hostname_san/nats/14': 'NATS lets a wildcard stand alone',
  'hostname_san/nats/16': 'NATS lets a wildcard stand alone',
  'hostname_san/nats/17': 'NATS lets a wildcard stand alone',
  'hostname_san/nats/18': 'NATS compares names with an inner wildcard as plain text',
  'hostname_san/node/29': 'Node takes a wildcard inside a label',
  'hostname_san/node/30': 'Node takes a wildcard inside a label',
};

test('a certificate covers a host exactly where RFC 9525 suites say so', { skip }, () => {
  const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(file, 'utf8'));
  let compared = 0;
  for (const { id, group, input, expect, disputed, partial_wildcard, trailing_dot } of cases) {
    if (group !== 'hostname_san' || disputed || partial_wildcard || trailing_dot || id in OTHER_RULES) continue;
    const identity = identityOf(input);
    const hosts = input.hosts_any ?? [input.host ?? ''];
    const covered = hosts.some(host => certificateCoversHost(identity, host));
    // where a suite falls back to the common name, RFC 9525 does not
    const fallsBack = 'subjectaltname' in input && input.subjectaltname === null;
    assert.equal(covered, expect === 'accept' && !fallsBack, `${id}: ${JSON.stringify(input)}`);
    compared++;
  }
  assert.ok(compared > 150, `only ${compared} cases were compared`);
});

function identityOf(input: Case['input']): PeerIdentity {
  const names = (input.subjectaltname ?? '').split(', ').filter(name => name !== '');
  const ofType = (prefix: string): string[] =>
    names.filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length));
  return {
    subject: '',
    issuer: '',
    commonName: undefined,
    commonNames: [],
    dnsNames: input.san_dns ?? ofType('DNS:'),
    uris: ofType('URI:'),
    ipAddresses: input.san_ip ?? ofType('IP Address:'),
    spiffeId: undefined,
    fingerprint256: '',
    serialNumber: '',
    notBefore: new Date(0),
    notAfter: new Date(0),
  };
}
