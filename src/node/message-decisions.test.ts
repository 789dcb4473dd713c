import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { tlsCaller } from '../../test/kit/policies.ts';
import { constant, MutableValue } from '../lifecycle/observable-value.ts';
import type { AuthorizeCall, CallRules, Denial } from '../listener/listener-policy.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { MessageDecisions } from './message-decisions.ts';

const PEER = tlsCaller({ uris: ['spiffe://dev/fabric/node-1'] });
const ALLOWED: Decision = { allowed: true, policy: 'p', rule: 'r' };
const DENIED: Decision = { allowed: false, policy: 'p', rule: '' };

test('rules are asked once for a kind, for as long as caller and rules are the same', () => {
  const asked: string[] = [];
  const rulesOf = (name: string): AuthorizeCall => {
    return (caller, path) => {
      asked.push(`${name} ${[...caller.roles]} ${path}`);
      return ALLOWED;
    };
  };
  const authorize = new MutableValue(rulesOf('first'));
  const { decide, counted } = decisions({ authorize });
  for (let times = 0; times < 3; times += 1) assert.deepEqual(decide(PEER, 'a'), ALLOWED);
  assert.deepEqual(asked.splice(0), ['first peer /selvedge.message/a']);
  decide(PEER, 'b');
  assert.deepEqual(asked.splice(0), ['first peer /selvedge.message/b']);
  authorize.set(rulesOf('second'));
  decide(PEER, 'a');
  decide({ ...PEER, roles: new Set(['observer']) }, 'a');
  assert.deepEqual(asked.splice(0), ['second peer /selvedge.message/a', 'second observer /selvedge.message/a']);
  assert.deepEqual(counted, { allowed: 6, denied: 0 });
});

test('each decision is told, with metadata that is empty', () => {
  const told: unknown[] = [];
  const decided: CallRules['decided'] = (caller, path, { allowed }, metadata) =>
    told.push([caller, path, allowed, metadata?.getMap()]);
  const authorize = constant<AuthorizeCall>((_caller, path) => (path.endsWith('/a') ? ALLOWED : DENIED));
  const { decide, counted } = decisions({ authorize, decided });
  for (const kind of ['a', 'b', 'a', 'b', 'b']) decide(PEER, kind);
  assert.equal(told.length, 5);
  assert.deepEqual(told[4], [PEER, '/selvedge.message/b', false, {}]);
  assert.deepEqual(counted, { allowed: 2, denied: 3 });
});

test('kinds that a peer makes up do not fill the memory', () => {
  let asked = 0;
  const authorize = constant<AuthorizeCall>(() => {
    asked += 1;
    return DENIED;
  });
  const { decide } = decisions({ authorize });
  for (let kind = 0; kind < 1_000; kind += 1) decide(PEER, `kind-${kind}`);
  assert.equal(asked, 1_000);
  decide(PEER, 'kind-0');
  assert.equal(asked, 1_001, 'the first was forgotten');
});

test('rules that fail let nobody through, this time and the next', () => {
  const failed: unknown[] = [];
  const authorize = constant<AuthorizeCall>(() => {
    throw new Error('broken');
  });
  const { decide } = decisions({ authorize }, (path, error) => failed.push([path, String(error)]));
  for (let times = 1; times <= 2; times += 1) {
    assert.equal(decide(PEER, 'a').allowed, false);
    assert.deepEqual(failed.at(-1), ['/selvedge.message/a', 'Error: broken']);
    assert.equal(failed.length, times);
  }
});

test('who shows no certificate where one is asked for by now sends nothing; who shows one is not asked', () => {
  const denial: Denial = { allowed: false, policy: 'built-in', rule: 'authentication' };
  let isAsked = true;
  const authenticate = (caller: Caller) => (isAsked ? denial : caller);
  const { decide } = decisions({ authorize: constant<AuthorizeCall>(() => ALLOWED), authenticate });
  const stranger = callerWith('anonymous');
  assert.deepEqual(decide(stranger, 'a'), denial);
  assert.deepEqual(decide(PEER, 'a'), ALLOWED);
  isAsked = false;
  assert.deepEqual(decide(stranger, 'a'), ALLOWED);
  isAsked = true;
  assert.deepEqual(decide(stranger, 'a'), denial);
});

function decisions(
  rules: CallRules,
  failed: (path: string, error: unknown) => void = (_, error) => assert.fail(String(error)),
) {
  const counted = { allowed: 0, denied: 0 };
  const made = new MessageDecisions({ rules, counted, failed });
  return { decide: (caller: Caller, kind: string) => made.decide(caller, kind), counted };
}
