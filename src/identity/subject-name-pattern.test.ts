import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { parsePattern, parsePatterns } from './subject-name-pattern.ts';

for (const [text, kinds] of [
  ['*', 'cn dns uri ip'],
  ['cn:node-1', 'cn'],
  ['cn:Acme (Prod), Inc./node', 'cn'],
  ['cn:spiffe://prod/x', 'cn'],
  ['cn:10.0.0.*', 'cn'],
  ['cn:**.example', 'cn'],
  ['dns:*.example', 'dns'],
  ['dns:**.example.', 'dns'],
  ['dns:xn--zrich-kva.example', 'dns'],
  ['uri:spiffe://prod/fabric/*', 'uri'],
  ['spiffe://prod/**', 'uri'],
  ['https://host:8443/a%2Fb', 'uri'],
  ['https://host', 'uri'],
  ['https://host/', 'uri'],
  ['ip:10.0.0.1', 'ip'],
  ['10.0.0.0/8', 'ip'],
  ['::1', 'ip'],
  ['fd00::/8', 'ip'],
  ['cafe::1', 'ip'],
  ['node-1', 'cn dns'],
  ['*.example', 'cn dns'],
  ['**.example', 'cn dns'],
  ['node-*', 'cn dns'],
  ['rack.7', 'cn'],
  ['7', 'cn'],
] as const)
  test(`${text} speaks of ${kinds}`, () => {
    const pattern = parsePattern(text);
    assert.equal(pattern.kinds.join(' '), kinds);
    assert.equal(pattern.text, text);
    assert.equal(pattern.any, text === '*');
  });

for (const [text, problem] of [
  ['', /empty/],
  [' ', /space/],
  [' node-1', /space/],
  ['foo:x', /"foo" is not a kind of pattern; the kinds are cn, dns, uri, ip/],
  ['CN:x', /"CN" is not a kind/],
  ['URI:spiffe://a/b', /"URI" is not a kind/],
  ['spiffe:/prod/x', /"spiffe" is not a kind/],
  [':x', /"" is not a kind/],
  ['cn:', /nothing follows/],
  ['dns:', /nothing follows/],
  ['cn://x', /"cn" is a kind of pattern/],
  ['{a,b}.example', /braces/],
  ['cn:{a}', /braces/],
  ['spiffe://prod/{a,b}', /braces/],
  ['!node-1', /negation/],
  ['cn:!node-1', /negation/],
  ['!(a)', /negation/],
  ['node-[12]', /character classes/],
  ['cn:[a-z]', /character classes/],
  ['ip:[::1]', /without brackets/],
  ['node-?', /"\?" is not part/],
  ['spiffe://prod/a?b', /"\?" is not part/],
  ['node\\*', /escapes/],
  ['**', /"\*\*" may only stand/],
  ['***', /"\*\*" may only stand/],
  ['a**.example', /"\*\*" may only stand/],
  ['**a.example', /"\*\*" may only stand/],
  ['a.**', /"\*\*" may only stand/],
  ['a.**.example', /"\*\*" may only stand/],
  ['**.**.example', /"\*\*" may only stand/],
  ['cn:**', /"\*\*" may only stand/],
  ['dns:**', /"\*\*" may only stand/],
  ['spiffe://prod/**/a', /"\*\*" may only stand/],
  ['spiffe://prod/a**', /"\*\*" may only stand/],
  ['spiffe://prod/**/**', /"\*\*" may only stand/],
  ['spiffe://*/x', /authority .* no wildcard/],
  ['spiffe://*.prod/x', /authority .* no wildcard/],
  ['uri:*://prod/x', /scheme holds no wildcard/],
  ['sp*://prod/x', /./],
  ['uri:*', /scheme:\/\/authority\/path/],
  ['uri:prod/x', /scheme:\/\/authority\/path/],
  ['uri:urn:uuid:1', /scheme:\/\/authority\/path/],
  ['spiffe:///x', /authority/],
  ['https://user@host/x', /authority/],
  ['spiffe://prod/a#b', /query or fragment/],
  ['spiffe://prod/ä', /no URI path has/],
  ['spiffe://prod//a', /empty segment/],
  ['spiffe://prod/a//**', /empty segment/],
  ['spiffe://prod/../a', /"\." or "\.\." segment/],
  ['spiffe://prod/.', /"\." or "\.\." segment/],
  ['10.0.0.5/8', /write 10\.0\.0\.0\/8/],
  ['ip:10.0.0.5/8', /write 10\.0\.0\.0\/8/],
  ['10.0.0.0/33', /0 to 32/],
  ['ip:10.0.0.*', /no wildcards; write a CIDR block/],
  ['10.0.0.*', /CIDR block/],
  ['10.*', /CIDR block/],
  ['10.0.0.256', /not an IP address/],
  ['ip:node-1', /not an IP address/],
  ['dns:10.0.0.1', /looks like an IP address/],
  ['dns:rack.7', /not a DNS name/],
  ['dns:a..b', /not a DNS name/],
  ['dns:-a', /not a DNS name/],
  ['dns:a b', /not a DNS name/],
  ['dns:zürich.example', /xn--/],
  ['zürich', /written "cn:/],
  ['Acme Inc', /written "cn:/],
  ['a/b', /written "cn:/],
  ['node\u0000', /control/],
  ['cn:a\nb', /control/],
  ['cn:a\u202eb', /invisible/],
  ['a'.repeat(2_049), /longer than/],
] as const)
  test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.throws(
      () => parsePattern(text),
      (error: unknown) => {
        assert.ok(error instanceof SelvedgeError && error.code === 'pattern_invalid', String(error));
        assert.match(error.message, problem);
        return true;
      },
    );
  });

test('"*" stands alone in its list', () => {
  assert.equal(parsePatterns(['*']).length, 1);
  for (const list of [
    ['*', 'cn:a'],
    ['cn:a', '*'],
    ['*', '*'],
  ])
    assert.throws(() => parsePatterns(list), { code: 'pattern_invalid' });
});

test('an empty list is a list without patterns', () => assert.deepEqual(parsePatterns([]), []));
