import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import { coveringDestinations, coversDestination } from '../../src/identity/covers-destination.ts';
import {
  type DestinationPattern,
  matchesDestination,
  parseDestination,
} from '../../src/identity/destination-pattern.ts';
import { ipAddressFromBytes } from '../../src/identity/ip-address.ts';

interface Written {
  readonly address: string;
  readonly destination: string;
}

/** One host and port, and many ways to write them: each must pick the same profile. */
const mixedCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map(upper => [...text].map((letter, i) => (upper[i] ? letter.toUpperCase() : letter)).join(''));

const portsOf = (port: number) => (port === 5122 ? fc.constantFrom(':5122', '') : fc.constant(`:${port}`));

function written(hosts: fc.Arbitrary<string>, port: number): fc.Arbitrary<Written> {
  const one = fc
    .tuple(fc.constantFrom('', 'https://', 'HTTPS://', 'hTTps://'), hosts, portsOf(port))
    .map(parts => parts.join(''));
  return fc.record({ address: one, destination: one });
}

const label = fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}[a-z0-9]$/);
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'));
const nameForms = (text: string) =>
  fc.tuple(mixedCase(text), fc.constantFrom('', '.')).map(([mixed, dot]) => mixed + dot);

const bytes = (length: number) =>
  fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(255)), { minLength: length, maxLength: length });

const groupsOf = (list: readonly number[]) =>
  Array.from({ length: 8 }, (_, i) => (((list[2 * i] ?? 0) << 8) | (list[2 * i + 1] ?? 0)).toString(16));

/** RFC 4291 2.2: with and without leading zeros, with any run of zeros left out, with the last part as IPv4. */
function ipv6Forms(list: readonly number[]): fc.Arbitrary<string> {
  const groups = groupsOf(list);
  const full = groups.join(':');
  const padded = groups.map(group => group.padStart(4, '0')).join(':');
  const dotted = `${groups.slice(0, 6).join(':')}:${list.slice(12).join('.')}`;
  const shortened = [0, 1, 2, 3, 4, 5, 6].flatMap(from =>
    [1, 2, 3, 8].flatMap(length => {
      const run = groups.slice(from, from + length);
      if (run.length < length || run.some(group => group !== '0')) return [];
      return [`${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`];
    }),
  );
  return fc
    .constantFrom(full, padded, dotted, ...shortened)
    .chain(mixedCase)
    .map(text => `[${text}]`);
}

const ipv4Forms = (list: readonly number[]) =>
  fc.oneof(fc.constant(list.join('.')), ipv6Forms([...Array(10).fill(0), 255, 255, ...list]));

const port = fc.oneof(fc.constant(5122), fc.integer({ min: 1, max: 65_535 }));
const oneAddress = fc.tuple(fc.oneof(name.map(nameForms), bytes(16).map(ipv6Forms), bytes(4).map(ipv4Forms)), port);

function tcp(text: string): TcpAddress {
  const address = parseAddress(text);
  assert.ok(address.kind === 'tcp');
  return address;
}

test('an address picks the same profile in whatever way it and the destination are written', () => {
  const pairs = oneAddress.chain(([forms, at]) => fc.tuple(written(forms, at), written(forms, at)));
  fc.assert(
    fc.property(pairs, ([one, other]) => {
      const [first, second] = [parseDestination(one.destination), parseDestination(other.destination)];
      assert.ok(matchesDestination(first, tcp(one.address)));
      assert.ok(matchesDestination(first, tcp(other.address)));
      assert.ok(coversDestination(first, second) && coversDestination(second, first), 'they are one destination');
    }),
    { numRuns: 1_000 },
  );
});

test('another host or another port is another destination', () => {
  const ip = fc.oneof(bytes(4), bytes(16)).map(list => {
    const address = ipAddressFromBytes(list);
    return address?.family === 6 ? `[${address.text}]` : (address?.text ?? '');
  });
  const host = fc.oneof(name, ip);
  fc.assert(
    fc.property(host, port, host, port, (host1, port1, host2, port2) => {
      const same = host1 === host2 && port1 === port2;
      assert.equal(matchesDestination(parseDestination(`${host1}:${port1}`), tcp(`${host2}:${port2}`)), same);
    }),
    { numRuns: 500 },
  );
});

// few letters, so that patterns and names meet often
const partGlob = fc
  .string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 3 })
  .filter(text => !text.includes('**'));
const hostPattern = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom('*', '10.0.0.1', '[::1]') },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom('', '', '**.'), fc.array(partGlob, { minLength: 1, maxLength: 3 }))
      .map(([more, labels]) => more + labels.join('.')),
  },
);
const pattern = fc
  .tuple(hostPattern, fc.constantFrom(':1', ':2', ':*'))
  .map(([host, at]) => parseDestination(host + at));

/** Every name of at most four labels of at most three letters of `a`, `b` and one that is in no pattern. */
const LABELS = words(['a', 'b', 'c'], 3);

function words(letters: readonly string[], longest: number): readonly string[] {
  if (longest === 0) return [];
  return [...letters, ...words(letters, longest - 1).flatMap(word => letters.map(letter => word + letter))];
}

/** Addresses that `later` matches, many of them at its edges. */
function samples(later: DestinationPattern): fc.Arbitrary<TcpAddress> {
  const at = later.port === undefined ? fc.constantFrom(1, 2, 3) : fc.constant(later.port);
  const { host } = later;
  const inside = fc.constantFrom('', 'a', 'b', 'c', 'ab', 'ca', 'cc');
  const runs = (text: string) =>
    fc.array(inside, { minLength: text.split('*').length, maxLength: text.split('*').length }).map(fills => {
      const filled = text.split('*').reduce((done, piece, i) => done + (fills[i] ?? '') + piece);
      return filled === '' ? 'c' : filled;
    });
  const anyName = fc.array(fc.constantFrom(...LABELS), { minLength: 1, maxLength: 4 });
  const names =
    host.kind === 'name'
      ? fc
          .tuple(
            host.glob.more === undefined ? fc.constant([]) : anyName,
            fc.tuple(...host.glob.parts.map(each => runs(each.text))),
          )
          .map(([more, labels]) => [...more, ...labels].join('.'))
      : host.kind === 'ip'
        ? fc.constant(host.address.family === 6 ? `[${host.address.text}]` : host.address.text)
        : fc.oneof(
            anyName.map(labels => labels.join('.')),
            fc.constantFrom('10.0.0.1', '[::1]', '10.0.0.2'),
          );
  return fc.tuple(names, at).map(([where, number]) => tcp(`https://${where}:${number}`));
}

test('where patterns cover another one, every address that matches it matches one of them', () => {
  const cases = fc
    .tuple(fc.array(pattern, { minLength: 1, maxLength: 4 }), pattern)
    .chain(([earlier, later]) =>
      fc.tuple(fc.constant(earlier), fc.constant(later), fc.array(samples(later), { minLength: 20, maxLength: 20 })),
    );
  let covered = 0;
  fc.assert(
    fc.property(cases, ([earlier, later, addresses]) => {
      const covering = coveringDestinations(earlier, later);
      if (covering.length === 0) return;
      covered += 1;
      for (const address of addresses) {
        assert.ok(matchesDestination(later, address), `${later.text} and ${address.host}:${address.port}`);
        assert.ok(
          covering.some(each => matchesDestination(each, address)),
          `${address.host}:${address.port} is left to ${later.text}`,
        );
      }
    }),
    { numRuns: 4_000 },
  );
  assert.ok(covered > 100, `only ${covered} cases were covered`);
});

test('where patterns do not cover another one, it is the first to match some address', () => {
  const cases = fc.tuple(fc.array(pattern, { minLength: 1, maxLength: 4 }), pattern);
  let left = 0;
  fc.assert(
    fc.property(cases, ([earlier, later]) => {
      if (coveringDestinations(earlier, later).length > 0) return;
      left += 1;
      // Letters of no pattern for each wildcard, and every number of further labels that a pattern could tell apart.
      const addresses = witnesses(later);
      assert.ok(
        addresses.some(address => !earlier.some(each => matchesDestination(each, address))),
        `${earlier.map(each => each.text).join(' ')} leave nothing to ${later.text}`,
      );
    }),
    { numRuns: 4_000 },
  );
  assert.ok(left > 100, `only ${left} cases were left`);
});

function witnesses({ host, port: at }: DestinationPattern): readonly TcpAddress[] {
  const ports = at === undefined ? [1, 2, 3] : [at];
  const hosts =
    host.kind === 'any'
      ? ['c', 'c.c', 'c.c.c', 'c.c.c.c', '10.9.9.9']
      : host.kind === 'ip'
        ? [host.address.family === 6 ? `[${host.address.text}]` : host.address.text]
        : (host.glob.more === undefined ? [[]] : [['c'], ['c', 'c'], ['c', 'c', 'c'], ['c', 'c', 'c', 'c']]).map(more =>
            [...more, ...host.glob.parts.map(({ text }) => text.replaceAll('*', 'c'))].join('.'),
          );
  return hosts.flatMap(where => ports.map(number => tcp(`https://${where}:${number}`)));
}
