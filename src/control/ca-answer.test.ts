import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaRoot, CaState, CaUsage } from '../rpc/ca-messages.ts';
import { whyNotCounted } from './ca-answer.ts';

const rootOf = (number: number): CaRoot => ({
  subject: '',
  fingerprintSha256: number.toString(16).padStart(64, '0'),
  notAfterMs: 1_000,
});
const rootsOf = (count: number, from = 0) => Array.from({ length: count }, (_, index) => rootOf(from + index));

function answer(...usages: readonly Partial<CaUsage>[]): CaState {
  const filled = usages.map((usage, index) => ({
    usage: `profile ${index + 1}`,
    trustGeneration: 1,
    roots: [],
    leafRoots: [],
    ...usage,
  }));
  return { nodeName: 'node-2', usages: filled, addressesRedacted: true };
}

test('what a node could mean is counted, up to the limits', () => {
  const leafRoots = rootsOf(16).map(root => root.fingerprintSha256);
  assert.equal(whyNotCounted(answer(), 'node-2'), undefined);
  assert.equal(whyNotCounted(answer({ usage: 'server', roots: rootsOf(256), leafRoots }), 'node-2'), undefined);
  const many = Array.from({ length: 64 }, () => ({ roots: rootsOf(256) }));
  assert.equal(whyNotCounted(answer(...many), 'node-2'), undefined);
});

const LIES: readonly (readonly [string, CaState, RegExp])[] = [
  ['another name', { ...answer(), nodeName: 'node-3' }, /in the name of another node/],
  ['many usages', answer(...Array.from({ length: 65 }, () => ({}))), /more than 64 usages/],
  ['a usage twice', answer({ usage: 'server' }, { usage: 'server' }), /one usage twice/],
  ['a long usage', answer({ usage: 'x'.repeat(65) }), /name that is too long/],
  ['many roots', answer({ roots: rootsOf(257) }), /more than 256 roots/],
  ['many roots in all', answer({ roots: rootsOf(256) }, { roots: rootsOf(256, 1) }), /more than 256 roots/],
  ['many leaf roots', answer({ leafRoots: rootsOf(17).map(root => root.fingerprintSha256) }), /more than 16 roots/],
  ['a root by a word', answer({ roots: [{ ...rootOf(1), fingerprintSha256: 'root' }] }), /without a SHA-256/],
  ['a leaf of a word', answer({ leafRoots: [rootOf(10).fingerprintSha256.toUpperCase()] }), /without a SHA-256/],
  ['a long subject', answer({ roots: [{ ...rootOf(1), subject: 'x'.repeat(1_025) }] }), /subject that is too long/],
  ['no date', answer({ roots: [{ ...rootOf(1), notAfterMs: 8.64e15 + 1 }] }), /ends at no date/],
];
for (const [name, state, reason] of LIES)
  test(`an answer with ${name} is not counted`, () => assert.match(whyNotCounted(state, 'node-2') ?? '', reason));
