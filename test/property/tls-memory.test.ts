import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import { MutableValue } from '../../src/lifecycle/observable-value.ts';
import type { Member } from '../../src/membership/member.ts';
import { MemberDirectory } from '../../src/membership/member-directory.ts';
import type { MembershipView } from '../../src/membership/membership-source.ts';
import { type MemberWord, NO_MEMORY } from '../../src/membership/tls-memory.ts';

const ENTRIES = ['a:1', 'http://a:1', 'https://a:1', 'http://b:2', 'unix:/run/a.sock'];
const name = fc.constantFrom('node-2', 'node-3');

const word: fc.Arbitrary<MemberWord> = fc.record({
  generation: fc.integer({ min: 1, max: 3 }),
  mode: fc.constantFrom('plain' as const, 'optional' as const, 'strict' as const),
  addresses: fc
    .subarray(['http://a:1', 'https://a:1', 'https://a:9', 'http://evil:6'])
    .map(texts => texts.map(parseAddress) as TcpAddress[]),
});

/** What members prove, and what the operator writes. */
const honest = fc.oneof(
  fc.record({ kind: fc.constant('proven' as const), name, word }),
  fc.record({ kind: fc.constant('listed' as const), name, entry: fc.option(fc.constantFrom(...ENTRIES)) }),
);
/** What anybody may say in plaintext. */
const stranger = fc.oneof(
  fc.record({ kind: fc.constant('said' as const), name, word }),
  fc.record({ kind: fc.constant('refused_plaintext' as const), name }),
);

type Step =
  typeof honest extends fc.Arbitrary<infer Honest>
    ? Honest | (typeof stranger extends fc.Arbitrary<infer Stranger> ? Stranger : never)
    : never;

test('no sequence of plaintext words changes who is remembered, nor what is dialled of those', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(honest, stranger), { maxLength: 30 }), steps => {
      const attacked = run(steps);
      const left = run(steps.filter(({ kind }) => kind === 'proven' || kind === 'listed'));
      assert.deepEqual(attacked.memory, left.memory);
      for (const member of ['node-2', 'node-3']) {
        assert.equal(attacked.directory.refusesPlaintext(member), left.directory.refusesPlaintext(member));
        const { addresses = [], tlsOnly } = attacked.directory.member(member) ?? {};
        assert.equal(tlsOnly === true, attacked.directory.refusesPlaintext(member));
        if (tlsOnly) assert.ok(addresses.every(address => address.kind === 'tcp' && address.scheme === 'https'));
      }
    }),
    { numRuns: 3_000 },
  );
});

test('of a remembered member no plaintext word is believed', () => {
  fc.assert(
    fc.property(
      fc.array(honest, { maxLength: 10 }),
      fc.array(stranger, { minLength: 1, maxLength: 10 }),
      (past, now) => {
        const { directory, apply } = run(past);
        const before = directory.members.value.filter(({ tlsOnly }) => tlsOnly);
        for (const step of now) apply(step);
        for (const member of before) assert.deepEqual(directory.member(member.name), member);
      },
    ),
    { numRuns: 1_000 },
  );
});

function run(steps: readonly Step[]) {
  const entry = (member: string, text: string): Member => ({
    name: member,
    addresses: [parseAddress(text)],
    labels: {},
  });
  const listing = (members: readonly Member[]): MembershipView => ({ members, removed: [] });
  const source = new MutableValue(listing([entry('node-2', 'a:1'), entry('node-3', 'http://a:1')]));
  const memory = new MutableValue(NO_MEMORY);
  const policy = new MutableValue({ mode: 'optional', refuseDowngrade: true } as const);
  const directory = new MemberDirectory({ source, policy, self: 'node-1', lists: () => true, memory });
  const apply = (step: Step) => {
    switch (step.kind) {
      case 'proven':
        return directory.learn(step.name, step.word, true);
      case 'said':
        return directory.learn(step.name, step.word, false);
      case 'refused_plaintext':
        return directory.learnTls(step.name);
      case 'listed': {
        const others = source.value.members.filter(member => member.name !== step.name);
        return source.set(listing(step.entry === null ? others : [...others, entry(step.name, step.entry)]));
      }
    }
  };
  for (const step of steps) apply(step);
  return { directory, memory: memory.value, apply };
}
