import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionProblems } from './option-problems.ts';
import { resolvePlaintextDeadline } from './resolve-plaintext-deadline.ts';

function resolved(given: Date | string | undefined, mode: 'plain' | 'optional' | 'strict' = 'optional') {
  const found = new OptionProblems();
  const deadline = resolvePlaintextDeadline(given, mode, found);
  return { deadline: deadline?.toISOString(), problems: found.problems.map(({ problem }) => problem) };
}

test('a deadline is a Date, or a text with its zone', () => {
  const deadline = '2027-01-31T12:00:00.000Z';
  for (const given of [new Date(deadline), deadline, '2027-01-31 13:00:00+01:00', '2027-01-31t12:00z'])
    assert.deepEqual(resolved(given), { deadline, problems: [] });
  assert.deepEqual(resolved(undefined, 'strict'), { deadline: undefined, problems: [] });
});

test('a time without a zone, and one that is none, are mistakes', () => {
  for (const given of ['2027-01-31T12:00:00', '2027-01-31', 'soon', '', '1801396800000'])
    assert.deepEqual(resolved(given), { deadline: undefined, problems: ['This is no date and time with its zone.'] });
  for (const given of ['2027-13-31T12:00:00Z', new Date(Number.NaN)])
    assert.deepEqual(resolved(given), { deadline: undefined, problems: ['There is no such time.'] });
});

test('in another mode than optional it is a mistake', () => {
  for (const mode of ['plain', 'strict'] as const)
    assert.deepEqual(resolved('2027-01-31T12:00:00Z', mode).problems, [
      `It ends the mode optional, and the mode is ${mode}.`,
    ]);
});
