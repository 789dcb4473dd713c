import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { SelvedgeError } from '../../src/errors/selvedge-error.ts';
import { formatAddress, parseAddress } from '../../src/identity/address.ts';
import { blockContains, ipAddressFromBytes, parseIpAddress, parseIpBlock } from '../../src/identity/ip-address.ts';
import { splitPem, toPem } from '../../src/identity/pem.ts';

/** Bytes with long runs of zeros and equal beginnings, where canonical texts and blocks go wrong. */
const bytesOf = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(255) }), {
    minLength: length,
    maxLength: length,
  });
const family = fc.constantFrom(4, 16);

test('the canonical text of an address is what the URL standard writes', () => {
  fc.assert(
    fc.property(bytesOf(16), bytes => {
      const text = ipAddressFromBytes(bytes)?.text ?? '';
      if (text.includes('.')) return;
      assert.equal(new URL(`http://[${text}]`).hostname, `[${text}]`);
      assert.deepEqual(parseIpAddress(text)?.bytes, bytes);
    }),
    { numRuns: 500 },
  );
});

test('blocks hold what the block list of Node holds', () => {
  const both = family.chain(length => fc.tuple(bytesOf(length), bytesOf(length), fc.nat(length * 8)));
  fc.assert(
    fc.property(both, ([network, other, bits]) => {
      const masked = network.map((byte, i) => byte & ((0xff00 >> Math.min(8, Math.max(0, bits - i * 8))) & 0xff));
      const base = ipAddressFromBytes(masked);
      const address = ipAddressFromBytes(other);
      assert.ok(base !== undefined && address !== undefined);
      if (base.bytes.length !== network.length || address.family !== base.family) return;
      const parsed = parseIpBlock(`${base.text}/${bits}`);
      assert.ok('block' in parsed, JSON.stringify(parsed));
      const type = base.family === 4 ? 'ipv4' : 'ipv6';
      const reference = new BlockList();
      reference.addSubnet(base.text, bits, type);
      assert.equal(blockContains(parsed.block, address), reference.check(address.text, type));
    }),
    { numRuns: 500 },
  );
});

test('any text is an address that reads back from its canonical form, or is refused as one', () => {
  const unit = fc.constantFrom(...'ab1.:/[]-_@?#% ', 'http://', 'https://', 'unix:', '::1', '127.0.0.1', ':5122', '\n');
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit, maxLength: 8 }), fc.webUrl(), fc.domain()), text => {
      try {
        const address = parseAddress(text);
        assert.deepEqual(parseAddress(formatAddress(address)), address);
      } catch (error) {
        assert.ok(error instanceof SelvedgeError && error.code === 'address_invalid', String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('PEM blocks come back as they were written', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }), blocks => {
      const read = splitPem(blocks.map(der => toPem('CERTIFICATE', der)).join('text between\n'));
      assert.deepEqual(
        read.map(({ der }) => [...der]),
        blocks.map(der => [...der]),
      );
    }),
  );
});
