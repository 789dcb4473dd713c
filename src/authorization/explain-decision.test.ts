import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { goodPolicy, tlsCaller } from '../../test/kit/policies.ts';
import { explainDecision } from './explain-decision.ts';

const METHODS = ['/a.Orders/Place', '/a.Orders/Cancel', '/selvedge.control.v1.NodeControl/Drain'];
const policy = goodPolicy(
  {
    name: 'p',
    deny_rules: [{ name: 'no-cancel', source: { principals: ['CN=bob'] }, request: { paths: ['*/Cancel'] } }],
    allow_rules: [
      { name: 'ann', source: { principals: ['CN=ann'] }, request: { headers: [{ key: 'env', values: ['prod'] }] } },
      { name: 'bob', source: { principals: ['CN=bob'] }, request: { paths: ['/a.Orders/Cancel'] } },
      { name: 'any-in-test', request: { headers: [{ key: 'env', values: ['test'] }] } },
    ],
  },
  METHODS,
);
const standard = { policy, strict: true };
const bob = tlsCaller({ subject: 'CN=bob' });
const headers = Metadata.fromHttp2Headers({ env: 'prod' });

test('a denial tells how each rule relates to the call, and which permission came nearest', () => {
  const { decision, rules, nearest } = explainDecision(standard, bob, '/a.Orders/Place', headers);
  assert.deepEqual(decision, { allowed: false, policy: 'p', rule: '' });
  assert.deepEqual(rules, [
    { effect: 'deny', rule: 'no-cancel', missed: ['path'] },
    { effect: 'allow', rule: 'ann', missed: ['principal'] },
    { effect: 'allow', rule: 'bob', missed: ['path'] },
    { effect: 'allow', rule: 'any-in-test', missed: ['headers'] },
  ]);
  assert.equal(nearest?.rule, 'ann');
});

test('the rule that decides misses nothing', () => {
  const { decision, rules } = explainDecision(standard, bob, '/a.Orders/Cancel', headers);
  assert.equal(decision.rule, 'no-cancel');
  assert.deepEqual(rules.find(({ rule }) => rule === 'no-cancel')?.missed, []);
  const ann = explainDecision(standard, tlsCaller({ subject: 'CN=ann' }), '/a.Orders/Place', headers);
  assert.deepEqual([ann.decision.allowed, ann.nearest], [true, undefined]);
});

test('without a policy there are no rules to tell of', () => {
  const { decision, rules, nearest } = explainDecision(
    { policy: undefined, strict: true },
    bob,
    '/a.Orders/Place',
    headers,
  );
  assert.deepEqual([decision.rule, rules, nearest], ['application', [], undefined]);
});
