import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { goodPolicy, tlsCaller } from '../../test/kit/policies.ts';
import type { Caller } from '../rpc/caller.ts';
import type { CallStandard } from './call-plan.ts';
import { describeDecision } from './describe-decision.ts';
import { explainDecision } from './explain-decision.ts';

const PLACE = '/a.Orders/Place';
const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const METHODS = [PLACE, '/a.Orders/Cancel', DRAIN];
const policy = goodPolicy(
  {
    name: 'p',
    deny_rules: [{ name: 'no-cancel', request: { paths: ['*/Cancel'] } }],
    allow_rules: [
      { name: 'ann', source: { principals: ['CN=ann'] }, request: { paths: [PLACE] } },
      { name: 'far', source: { principals: ['CN=eve'] }, request: { paths: ['/a.Orders/Cancel'] } },
    ],
  },
  METHODS,
);
const ann = tlsCaller({ subject: 'CN=ann' });
const bob = tlsCaller({ subject: 'CN=bob' });

function why(caller: Caller, path: string, standard: Partial<CallStandard> = {}): string {
  const explanation = explainDecision({ policy, strict: true, ...standard }, caller, path, new Metadata());
  return describeDecision(explanation, caller, path);
}

test('a rule that decided is told with the deny rules that did not match', () => {
  assert.equal(why(ann, PLACE), 'the allow rule matches; none of 1 deny rules matches');
  assert.equal(why(ann, '/a.Orders/Cancel'), 'the deny rule matches');
});

test('where no rule allows a call, the nearest is told with the parts that do not match', () => {
  assert.equal(why(bob, PLACE), 'no rule allows it; the nearest is "ann", but for the principal');
  assert.equal(
    why(bob, '/b.Other/Call'),
    'no rule allows it; the nearest is "ann", but for the path and the principal',
  );
});

test('the built-in table is told by its roles', () => {
  const admin = tlsCaller({ subject: 'CN=root' }, ['admin', 'peer']);
  const nobody = tlsCaller(undefined);
  assert.equal(why(bob, DRAIN), 'it takes admin or local');
  assert.equal(why(admin, DRAIN), 'it is open to admin');
  assert.equal(why(admin, '/grpc.health.v1.Health/Check'), 'it is open to peer and admin');
  assert.equal(why(nobody, PLACE), 'anonymous callers do not reach it while the mode is strict');
  assert.equal(why(nobody, PLACE, { policy: undefined, strict: false }), 'it is open to anonymous');
  assert.equal(
    why(tlsCaller({ subject: 'CN=x' }, ['admin']), PLACE, { policy: undefined }),
    'it takes peer or anonymous',
  );
});
