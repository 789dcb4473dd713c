import assert from 'node:assert/strict';
import { test } from 'node:test';
import { introductionOf } from '../../test/kit/raw-peer.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import { connectMethod, type WireIntroduction } from './frame.ts';
import { introductionToWire, parseIntroduction } from './introduction.ts';

test('an introduction that is read and written is the same', () => {
  const wire = introductionOf('node-b', {
    advertisedAddresses: ['https://node-b.example:5122', 'http://[::1]:1'],
    labels: { role: 'worker' },
    serverCertificateSha256: 'ab'.repeat(32),
    zone: 'eu-1a',
    weight: 0,
  });
  assert.deepEqual(introductionToWire(parseIntroduction(wire)), wire);
});

test('a weight of 0 comes over the wire, and one that is not said stays unsaid', () => {
  const { weight: _, ...older } = introductionOf('node-b');
  const overTheWire = (introduction: WireIntroduction) =>
    connectMethod.requestDeserialize(connectMethod.requestSerialize({ advertisement: { introduction } })).advertisement;
  assert.equal(overTheWire(introductionOf('node-b', { weight: 0 }))?.introduction?.weight, 0);
  assert.equal(overTheWire(older)?.introduction?.weight, undefined);
});

test('addresses that only the machine of the peer can dial are left out, doubles too', () => {
  const { addresses } = parseIntroduction(
    introductionOf('node-b', { advertisedAddresses: ['unix:/tmp/x', 'http://A:1', 'http://a.:1'] }),
  );
  assert.deepEqual(addresses.map(formatAddress), ['http://a:1']);
});

test('a node that shows no certificate, or is too old to say which, says none', () => {
  const introduction = parseIntroduction(introductionOf('node-b', { serverCertificateSha256: '' }));
  assert.equal(introduction.serverCertificateSha256, undefined);
  assert.equal(introductionToWire(introduction).serverCertificateSha256, '');
});

test('a node that is too old to say its zone and weight has none, and weighs as much as one that says nothing', () => {
  const { weight: _, ...older } = introductionOf('node-b', { zone: '' });
  const { zone, weight } = parseIntroduction(older);
  assert.deepEqual([zone, weight], [undefined, 1]);
});

test('a label called __proto__ is a label', () => {
  const labels = JSON.parse('{"__proto__":"x"}');
  assert.equal(Object.keys(parseIntroduction(introductionOf('node-b', { labels })).labels)[0], '__proto__');
});

test('what is not as it must be is refused without repeating it', async t => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `http://x:${i + 1}`);
  const manyLabels = Object.fromEntries(many(257).map(text => [text, '']));
  const cases: Record<string, Partial<WireIntroduction>> = {
    'no cluster name': { clusterName: '' },
    'a control character in the cluster name': { clusterName: 'x\n' },
    'a cluster name that is too long': { clusterName: 'x'.repeat(129) },
    'no node name': { nodeName: '' },
    'a node name with a capital': { nodeName: 'X' },
    'a generation that is not exact': { generation: 2 ** 53 },
    'a fraction of a generation': { generation: 1.5 },
    'a negative generation': { generation: -1 },
    'an address without a scheme': { advertisedAddresses: ['x:1'] },
    'an address with a path': { advertisedAddresses: ['http://x:1/x'] },
    'a wildcard': { advertisedAddresses: ['http://0.0.0.0:1'] },
    'port 0': { advertisedAddresses: ['http://x:0'] },
    'an endless address': { advertisedAddresses: [`http://${'x.'.repeat(500)}x:1`] },
    'too many addresses': { advertisedAddresses: many(33) },
    'an unknown mode': { mode: 'x' },
    'too many labels': { labels: manyLabels },
    'a label without a name': { labels: { '': 'x' } },
    'a label that is too long': { labels: { x: 'x'.repeat(129) } },
    'a control character in a label': { labels: { x: '\u0000' } },
    'a version that is too long': { version: 'x'.repeat(129) },
    'a zone that is too long': { zone: 'x'.repeat(129) },
    'a control character in a zone': { zone: 'x\n' },
    'a zone of nothing but spaces': { zone: '  ' },
    'a weight beyond those of SRV records': { weight: 65_536 },
    'a fingerprint that is too short': { serverCertificateSha256: 'ab' },
    'a fingerprint in capitals': { serverCertificateSha256: 'AB'.repeat(32) },
  };
  for (const [name, changes] of Object.entries(cases)) {
    await t.test(name, () => {
      assert.throws(
        () => parseIntroduction(introductionOf('node-b', changes)),
        error =>
          isSelvedgeError(error, 'refused') &&
          error.facts.reason === 'handshake_failed' &&
          !/xx|x:|x\n/.test(error.message),
      );
    });
  }
  assert.throws(
    () => parseIntroduction(null),
    error => isSelvedgeError(error, 'refused'),
  );
});
