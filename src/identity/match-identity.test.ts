import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainMatch, matchIdentity } from './match-identity.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { parsePatterns } from './subject-name-pattern.ts';

function identity(names: Partial<PeerIdentity>): PeerIdentity {
  return {
    subject: 'CN=subject',
    issuer: 'CN=CA',
    commonName: undefined,
    commonNames: [],
    dnsNames: [],
    uris: [],
    ipAddresses: [],
    spiffeId: undefined,
    fingerprint256: '',
    serialNumber: '',
    notBefore: new Date(0),
    notAfter: new Date(0),
    ...names,
  };
}

const spiffe = (id: string): PeerIdentity => identity({ uris: [id], spiffeId: id });
const matches = (pattern: string, who: PeerIdentity): boolean =>
  matchIdentity(parsePatterns([pattern]), who) !== undefined;

const CASES: readonly (readonly [string, PeerIdentity, boolean])[] = [
  // "*" matches within one label and needs at least one character where it stands alone
  ['cn:*', identity({ commonName: 'node-1' }), true],
  ['cn:*', identity({ commonName: 'a.b' }), false],
  ['cn:*.b', identity({ commonName: '.b' }), false],
  ['cn:a*', identity({ commonName: 'a' }), true],
  ['cn:*a*', identity({ commonName: 'bab' }), true],
  ['cn:a*b*c', identity({ commonName: 'a-b-c' }), true],
  ['cn:a*b*c', identity({ commonName: 'a-c-b' }), false],
  // a CN is exact
  ['cn:Node', identity({ commonName: 'node' }), false],
  ['cn:node', identity({ commonName: 'node.' }), false],
  ['cn:node', identity({ commonName: ' node' }), false],
  // other characters mean themselves, and a slash is no separator here
  ['cn:a/*', identity({ commonName: 'a/b/c' }), true],
  ['cn:*', identity({ commonName: 'a/b' }), true],
  ['cn:+(a)', identity({ commonName: 'a' }), false],
  ['cn:+(a)*', identity({ commonName: '+(a)b' }), true],
  ['cn:#a*', identity({ commonName: '#ab' }), true],
  ['cn:.*', identity({ commonName: '.a' }), true],
  ['cn:*', identity({ commonName: 'a\u0000b' }), false],
  // "**." is one or more labels
  ['cn:**.b', identity({ commonName: 'a.b' }), true],
  ['cn:**.b', identity({ commonName: 'a.a.b' }), true],
  ['cn:**.b', identity({ commonName: 'b' }), false],
  ['cn:**.b', identity({ commonName: '.b' }), false],
  ['dns:**.*.b', identity({ dnsNames: ['x.b'] }), false],
  ['dns:**.*.b', identity({ dnsNames: ['y.x.b'] }), true],
  // DNS ignores case and a trailing dot
  ['dns:Node-*.Example', identity({ dnsNames: ['NODE-1.example.'] }), true],
  ['dns:node-1.example.', identity({ dnsNames: ['node-1.example'] }), true],
  ['dns:*.example', identity({ dnsNames: ['a.b.example'] }), false],
  ['dns:*.example', identity({ dnsNames: ['example'] }), false],
  ['dns:k', identity({ dnsNames: ['\u212a'] }), false],
  ['dns:*', identity({ dnsNames: ['a..b', '', 'a b', '10.0.0.1'] }), false],
  // a wildcard certificate stands for no host below a narrower pattern
  ['dns:*.example', identity({ dnsNames: ['*.example'] }), true],
  ['dns:node-*.example', identity({ dnsNames: ['*.example'] }), false],
  ['dns:node-1.example', identity({ dnsNames: ['*.example'] }), false],
  // without a kind: a DNS name or the CN, each by its own rule
  ['Node-1', identity({ commonName: 'node-1' }), false],
  ['Node-1', identity({ commonName: 'Node-1' }), true],
  ['Node-1', identity({ dnsNames: ['node-1'] }), true],
  ['node-1', identity({ uris: ['node-1'], ipAddresses: ['node-1'] }), false],
  // URIs
  ['spiffe://prod/fabric/*', spiffe('spiffe://prod/fabric/node-1'), true],
  ['spiffe://prod/fabric/*', spiffe('spiffe://prod/fabric'), false],
  ['spiffe://prod/fabric/*', spiffe('spiffe://prod/fabric/a/b'), false],
  ['spiffe://prod/fabric/**', spiffe('spiffe://prod/fabric/a/b'), true],
  ['spiffe://prod/fabric/**', spiffe('spiffe://prod/fabric'), false],
  ['spiffe://prod/**', spiffe('spiffe://prod'), false],
  ['spiffe://prod/*/b', spiffe('spiffe://prod/a/b'), true],
  ['spiffe://prod', spiffe('spiffe://prod'), true],
  ['spiffe://prod', spiffe('spiffe://prod/a'), false],
  ['spiffe://prod/a', spiffe('spiffe://prod/A'), false],
  ['SPIFFE://PROD/a', spiffe('spiffe://prod/a'), true],
  ['spiffe://prod/a', spiffe('spiffe://prod.evil/a'), false],
  ['https://prod/a', spiffe('spiffe://prod/a'), false],
  ['https://Host:443/A', identity({ uris: ['HTTPS://hOST:443/A'] }), true],
  ['https://host/a%2Fb', identity({ uris: ['https://host/a%2fb'] }), false],
  ['https://host/a', identity({ uris: ['https://host/%61'] }), false],
  ['https://host/*', identity({ uris: ['https://host/a%2Fb'] }), true],
  ['https://host/*', identity({ uris: ['https://host/'] }), false],
  ['https://host/', identity({ uris: ['https://host/'] }), true],
  ['https://host/', identity({ uris: ['https://host'] }), false],
  ['https://host/**', identity({ uris: ['https://host/a/'] }), false],
  ['https://host/**', identity({ uris: ['https://host/a//b'] }), false],
  ['https://host/**', identity({ uris: ['https://host/a/../b'] }), false],
  ['https://host/*', identity({ uris: ['https://host/..'] }), false],
  ['https://host/*', identity({ uris: ['https://host/.hidden'] }), true],
  ['https://host/*/b', identity({ uris: ['https://host/../b'] }), false],
  ['https://host/*/b', identity({ uris: ['https://host//b'] }), false],
  ['https://host/a', identity({ uris: ['https://host/a?x'] }), false],
  ['https://host/a', identity({ uris: ['https://user@host/a'] }), false],
  ['https://host/a', identity({ uris: ['urn:x', 'https://host/a'] }), true],
  // a spiffe:// pattern looks at the SPIFFE identity alone
  ['spiffe://prod/a', identity({ uris: ['spiffe://prod/a'] }), false],
  ['spiffe://prod/a', identity({ uris: ['spiffe://prod/b'], spiffeId: 'spiffe://prod/a' }), false],
  // addresses
  ['10.0.0.0/8', identity({ ipAddresses: ['10.1.2.3'] }), true],
  ['ip:10.0.0.1', identity({ ipAddresses: ['10.0.0.2'] }), false],
  ['fd00::/8', identity({ ipAddresses: ['fd12::1'] }), true],
  ['::ffff:10.0.0.1', identity({ ipAddresses: ['10.0.0.1'] }), true],
  ['ip:10.0.0.1', identity({ ipAddresses: ['not an address'] }), false],
  // no kind satisfies another
  ['spiffe://prod/a', identity({ commonName: 'spiffe://prod/a' }), false],
  ['spiffe://prod/a', identity({ dnsNames: ['spiffe://prod/a'] }), false],
  ['cn:spiffe://prod/a', spiffe('spiffe://prod/a'), false],
  ['cn:node-1', identity({ dnsNames: ['node-1'] }), false],
  ['dns:node-1', identity({ commonName: 'node-1' }), false],
  ['ip:10.0.0.1', identity({ commonName: '10.0.0.1', dnsNames: ['10.0.0.1'] }), false],
  ['cn:10.0.0.1', identity({ ipAddresses: ['10.0.0.1'] }), false],
];

for (const [pattern, who, expected] of CASES)
  test(`${pattern} ${expected ? 'matches' : 'does not match'} ${describe(who)}`, () => {
    assert.equal(matches(pattern, who), expected);
  });

test('an empty list matches nothing', () => {
  assert.equal(matchIdentity([], spiffe('spiffe://prod/a')), undefined);
  assert.deepEqual(explainMatch([], spiffe('spiffe://prod/a')), { nearest: undefined });
});

test('"*" matches any certificate, even one without names, and reports the subject', () => {
  assert.deepEqual(matchIdentity(parsePatterns(['*']), identity({})), {
    pattern: '*',
    kind: 'any',
    value: 'CN=subject',
  });
});

test('the CN is looked at first, whatever the order of the patterns', () => {
  const who = identity({ commonName: 'a', dnsNames: ['a'], uris: ['https://a/a'], ipAddresses: ['10.0.0.1'] });
  const match = (...texts: string[]) => matchIdentity(parsePatterns(texts), who);
  assert.deepEqual(match('ip:10.0.0.1', 'https://a/a', 'dns:a', 'cn:a'), { pattern: 'cn:a', kind: 'cn', value: 'a' });
  assert.deepEqual(match('a'), { pattern: 'a', kind: 'cn', value: 'a' });
  assert.deepEqual(match('ip:10.0.0.1', 'dns:a'), { pattern: 'dns:a', kind: 'dns', value: 'a' });
  assert.deepEqual(match('cn:*', 'cn:a'), { pattern: 'cn:*', kind: 'cn', value: 'a' });
});

test('an explanation names the pattern that came nearest and the part that differs', () => {
  const patterns = parsePatterns(['dns:*.other', 'spiffe://blue/fabric/*', 'spiffe://prod/fabric/*']);
  assert.deepEqual(explainMatch(patterns, spiffe('spiffe://prod/worker/1')), {
    nearest: {
      pattern: 'spiffe://prod/fabric/*',
      kind: 'uri',
      value: 'spiffe://prod/worker/1',
      why: 'segment 1 is "worker" where the pattern has "fabric"',
    },
  });
  const why = (pattern: string, who: PeerIdentity): string | undefined => {
    const explanation = explainMatch(parsePatterns([pattern]), who);
    return 'nearest' in explanation ? explanation.nearest?.why : 'matched';
  };
  assert.equal(why('cn:a.b', identity({ commonName: 'a' })), 'it has 1 label where the pattern takes 2');
  assert.equal(why('cn:**.b', identity({ commonName: 'b' })), 'it has 1 label where the pattern takes 2 or more');
  assert.equal(why('https://a/b', identity({ uris: ['https://a'] })), 'it has no path, unlike the pattern');
  assert.equal(why('https://a/b', identity({ uris: ['x://a/b'] })), 'its scheme is "x" where the pattern has "https"');
  assert.equal(why('10.0.0.0/8', identity({ ipAddresses: ['11.0.0.1'] })), 'it is not in 10.0.0.0/8');
  assert.match(why('spiffe://a/b', identity({ uris: ['spiffe://a/b', 'x:y'] })) ?? '', /not the only URI/);
  assert.equal(why('cn:a', spiffe('spiffe://a/b')), undefined);
});

test('a long label with many wildcards is decided in time', () => {
  const who = identity({ commonName: 'a'.repeat(50_000) });
  assert.equal(matches(`cn:${'*a'.repeat(20)}*b`, who), false);
  assert.equal(matches(`cn:${'*a'.repeat(20)}*`, who), true);
});

function describe({ commonName, dnsNames, uris, ipAddresses }: PeerIdentity): string {
  return JSON.stringify({ commonName, dnsNames, uris, ipAddresses });
}
