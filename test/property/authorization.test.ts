import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { createAuthorizer } from '../../src/authorization/authorizer.ts';
import { decide, planCalls } from '../../src/authorization/call-plan.ts';
import { isOwnMethod } from '../../src/authorization/method-rules.ts';
import type { Policy } from '../../src/authorization/policy.ts';
import { type Caller, ROLES } from '../../src/rpc/caller.ts';
import { goodPolicy, tlsCaller } from '../kit/policies.ts';

const METHODS = ['/a.Orders/Place', '/a.Orders/Cancel', '/b.Stock/Count', '/selvedge.control.v1.NodeControl/Drain'];
const IDS = ['spiffe://a/one', 'spiffe://a/two', 'spiffe://b/one'];
const PRINCIPALS = ['*', '', 'spiffe://a/*', '*one', ...IDS, ...ROLES.map(role => `role:${role}`)];
const BEARERS = ['token:ann', 'jwt:*'];
const PATHS = ['*', '/a.*', '*e', '/a.Orders/Place', '/b.Stock/Count'];

const text = (...texts: readonly string[]) => fc.constantFrom(...texts);
const ruleOf = (...principals: readonly string[]) =>
  fc.record(
    {
      source: fc.record({ principals: fc.uniqueArray(text(...principals), { maxLength: 3 }) }, { requiredKeys: [] }),
      request: fc.record(
        {
          paths: fc.uniqueArray(text(...PATHS), { maxLength: 2 }),
          headers: fc.array(
            fc.record({ key: text('x-env', 'X-Team'), values: fc.tuple(text('prod', 'p*', '*', '')) }),
            {
              maxLength: 2,
            },
          ),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );
const policies = fc
  .record({
    deny: fc.array(ruleOf(...PRINCIPALS, ...BEARERS), { maxLength: 4 }),
    allow: fc.array(ruleOf(...PRINCIPALS), { maxLength: 4 }),
  })
  .map(({ deny, allow }) => policyOf(deny, allow));

const callers: fc.Arbitrary<Caller> = fc
  .record({
    uri: fc.option(text(...IDS), { nil: undefined }),
    roles: fc.subarray([...ROLES].filter(role => role !== 'anonymous')),
    bearer: fc.option(fc.record({ kind: text('token', 'jwt'), name: text('ann', 'bob') }), { nil: undefined }),
  })
  .map(({ uri, roles, bearer }) => ({
    ...tlsCaller(uri === undefined ? undefined : { uris: [uri], spiffeId: uri }, roles),
    bearer: bearer && { kind: bearer.kind === 'jwt' ? 'jwt' : 'token', name: bearer.name, roles: new Set(roles) },
  }));
const headers = fc
  .dictionary(text('x-env', 'x-team'), text('prod', 'dev', ''))
  .map(each => Metadata.fromHttp2Headers({ ...each }));
const paths = fc.oneof(text(...METHODS), fc.string());
const calls = fc.record({ caller: callers, path: paths, headers, strict: fc.boolean() });
type Call = typeof calls extends fc.Arbitrary<infer T> ? T : never;

function policyOf(deny: readonly object[], allow: readonly object[]): Policy {
  const named = (list: readonly object[], prefix: string) =>
    list.map((each, index) => ({ name: `${prefix}${index}`, ...each }));
  return goodPolicy({ name: 'p', deny_rules: named(deny, 'd'), allow_rules: named(allow, 'a') }, METHODS);
}

const decisionOf = (policy: Policy | undefined, { caller, path, headers: metadata, strict }: Call) =>
  decide(planCalls({ policy, strict }, caller, path), metadata);
const isAllowed = (policy: Policy, call: Call): boolean => decisionOf(policy, call).allowed;
const without = <T>(list: readonly T[], index: number): readonly T[] =>
  list.filter((_, at) => at !== index % list.length);

test('every call of everybody has an answer, with and without a policy', () => {
  fc.assert(
    fc.property(fc.option(policies, { nil: undefined }), calls, (policy, call) => {
      const { allowed, policy: name, rule: by } = decisionOf(policy, call);
      assert.equal(typeof allowed, 'boolean');
      assert.ok(name === 'built-in' || name === policy?.name);
      assert.ok(!allowed || by !== '', 'what is allowed is allowed by a rule');
    }),
  );
});

test('a deny rule that matches denies, whatever else there is', () => {
  fc.assert(
    fc.property(policies, calls, (policy, call) => {
      const denyingAll = goodPolicy({ name: 'p', deny_rules: [{ name: 'd' }], allow_rules: [{ name: 'a' }] }, METHODS);
      const added = { ...policy, denyRules: [...policy.denyRules, ...denyingAll.denyRules] };
      assert.equal(isAllowed(added, call), false);
      const { rule: by, allowed } = decisionOf(policy, call);
      if (!allowed || by === '') return;
      // What decided is no deny rule, and none of them matches alone.
      for (const each of policy.denyRules)
        assert.notEqual(decisionOf({ ...policy, denyRules: [each] }, call).rule, each.name);
    }),
  );
});

test('without one of its allow rules a policy allows nothing more', () => {
  fc.assert(
    fc.property(policies, fc.nat(), calls, (policy, index, call) => {
      const fewer = { ...policy, allowRules: without(policy.allowRules, index) };
      assert.ok(!isAllowed(fewer, call) || isAllowed(policy, call));
    }),
  );
});

test('with one more deny rule a policy allows nothing more', () => {
  fc.assert(
    fc.property(policies, fc.nat(), calls, (policy, index, call) => {
      const fewer = { ...policy, denyRules: without(policy.denyRules, index) };
      assert.ok(!isAllowed(policy, call) || isAllowed(fewer, call));
    }),
  );
});

test('a policy without allow rules allows no service of the application', () => {
  fc.assert(
    fc.property(policies, calls, (policy, call) => {
      if (!isOwnMethod(call.path)) assert.equal(isAllowed({ ...policy, allowRules: [] }, call), false);
    }),
  );
});

test('no policy allows of our own services what the roles alone do not', () => {
  fc.assert(
    fc.property(policies, calls, (policy, call) => {
      if (isOwnMethod(call.path)) assert.ok(!isAllowed(policy, call) || decisionOf(undefined, call).allowed);
    }),
  );
});

test('in strict anonymous reaches no service of the application', () => {
  fc.assert(
    fc.property(policies, calls, (policy, call) => {
      const anonymous = { ...call, strict: true, caller: tlsCaller(undefined) };
      if (!isOwnMethod(call.path)) assert.equal(isAllowed(policy, anonymous), false);
    }),
  );
});

test('what is remembered never changes an answer, in any order of calls', () => {
  const order = fc.record({
    policy: policies,
    strict: fc.boolean(),
    callers: fc.tuple(callers, callers),
    asked: fc.array(fc.record({ who: fc.nat(1), path: paths, headers }), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(order, ({ policy, strict, callers: both, asked }) => {
      const authorize = createAuthorizer({ policy, strict }, new Set(METHODS));
      for (const { who, path, headers: metadata } of asked) {
        const caller = both[who === 0 ? 0 : 1];
        const fresh = decisionOf(policy, { caller, path, headers: metadata, strict });
        assert.deepEqual(authorize(caller, path, metadata), fresh);
      }
    }),
  );
});
