import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress, formatHostPort, isWildcardHost, parseAddress, sameAddress, withScheme } from './address.ts';

for (const [text, canonical] of [
  ['https://node-1.example:5122', 'https://node-1.example:5122'],
  ['http://Node-1.Example.', 'http://node-1.example:5122'],
  ['HTTPS://h:1', 'https://h:1'],
  ['node_1:443', 'node_1:443'],
  ['localhost', 'localhost:5122'],
  ['10.0.0.1:0', '10.0.0.1:0'],
  ['[::1]', '[::1]:5122'],
  ['[2001:DB8:0::1]:65535', '[2001:db8::1]:65535'],
  ['https://[::ffff:10.0.0.1]:443', 'https://10.0.0.1:443'],
  ['unix:/run/selvedge.sock', 'unix:/run/selvedge.sock'],
  ['unix:data/admin.sock', 'unix:data/admin.sock'],
  ['unix:///run/selvedge.sock', 'unix:/run/selvedge.sock'],
  [`unix:/${'a'.repeat(106)}`, `unix:/${'a'.repeat(106)}`],
] as const)
  test(`${text.slice(0, 40)} is read as ${canonical.slice(0, 40)}`, () => {
    const address = parseAddress(text);
    assert.equal(formatAddress(address), canonical);
    assert.deepEqual(parseAddress(canonical), address);
  });

for (const [text, problem] of [
  ['', /empty/],
  ['::1', /brackets, as in \[::1\]:5122/],
  ['2001:db8::1:5122', /brackets/],
  ['[::1', /brackets/],
  ['[10.0.0.1]:1', /no IPv6 address between the brackets/],
  ['[fe80::1%eth0]:1', /no IPv6 address between the brackets/],
  ['[::1]5122', /brackets|host name/],
  ['host:', /port is not a number/],
  ['host:65536', /port is not a number/],
  ['host:080', /port is not a number/],
  ['host:+1', /port is not a number/],
  [':5122', /host is missing/],
  ['https://', /host is missing/],
  ['https://host:1/', /nothing may follow/],
  ['https://host:1/path', /nothing may follow/],
  ['host?x', /nothing may follow/],
  ['https://user@host:1', /user or password/],
  ['ftp://host:1', /scheme "ftp" is not known/],
  ['://host', /scheme "" is not known/],
  ['ho st', /space/],
  ['host\n', /space or control/],
  ['127.1', /neither a host name nor/],
  ['0x7f000001', /neither a host name nor/],
  ['2130706433', /neither a host name nor/],
  ['010.0.0.1', /neither a host name nor/],
  ['10.0.0.256', /neither a host name nor/],
  ['a..b', /neither a host name nor/],
  ['zürich.example', /neither a host name nor/],
  ['*.example', /neither a host name nor/],
  ['unix:', /followed by the path/],
  ['unix:/run/', /followed by the path/],
  ['unix://run/x.sock', /relative socket path/],
  ['unix:/run/\u0000x', /control character/],
  [`unix:/${'a'.repeat(107)}`, /has 108 bytes, and 107/],
  [`unix:/${'ä'.repeat(54)}`, /has 109 bytes/],
] as const)
  test(`${JSON.stringify(text.slice(0, 40))} is no address`, () => {
    assert.throws(
      () => parseAddress(text),
      (error: unknown) => {
        assert.ok(error instanceof SelvedgeError && error.code === 'address_invalid');
        assert.match(error.message, problem);
        return true;
      },
    );
  });

test('only the two wildcard hosts are wildcards, however they are written', () => {
  for (const text of ['0.0.0.0', '[::]:1', 'http://[0:0:0:0:0:0:0:0]:1', '[::ffff:0.0.0.0]:1'])
    assert.ok(isWildcardHost(parseAddress(text)), text);
  for (const text of ['127.0.0.1', '[::1]', 'localhost', 'unix:/x'])
    assert.ok(!isWildcardHost(parseAddress(text)), text);
});

test('addresses are the same when their canonical texts are', () => {
  assert.ok(sameAddress(parseAddress('https://A.example.'), parseAddress('https://a.example:5122')));
  assert.ok(!sameAddress(parseAddress('https://a'), parseAddress('http://a')));
  assert.ok(!sameAddress(parseAddress('https://a'), parseAddress('a')));
  assert.ok(!sameAddress(parseAddress('unix:/a'), parseAddress('unix:/b')));
});

test('a scheme is set or replaced, and host and port stay', () => {
  const address = parseAddress('[::1]:7');
  assert.ok(address.kind === 'tcp');
  assert.equal(formatAddress(withScheme(address, 'http')), 'http://[::1]:7');
  assert.equal(formatHostPort(withScheme(address, 'https')), '[::1]:7');
});
