import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeProblems } from './node-problems.ts';

test('what one of several of a kind says, another one does not take back', () => {
  const problems = new NodeProblems();
  const [old, next] = [{}, {}];
  problems.set('registration', 'another source holds the name', old);
  problems.set('registration', 'etcd refuses', next);
  problems.set('audit', 'full');
  assert.deepEqual(problems.all, [
    'registration: another source holds the name',
    'registration: etcd refuses',
    'audit: full',
  ]);
  problems.set('registration', undefined, old);
  assert.deepEqual(problems.all, ['registration: etcd refuses', 'audit: full']);
  problems.set('audit', undefined);
  problems.set('registration', undefined, next);
  assert.deepEqual([problems.all, problems.sources], [[], []]);
});
