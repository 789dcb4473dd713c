import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOfMethod } from './method-kind.ts';
import { BUILT_IN_RULES } from './method-rules.ts';

test('health and reflection are public, and nothing else that has a built-in rule is', () => {
  const names = [...BUILT_IN_RULES.keys()].map(name => (name.includes('/') ? name : `${name}/Any`));
  const ofKind = (kind: string) => names.filter(name => kindOfMethod(`/${name}`) === kind);
  assert.deepEqual(ofKind('public'), [
    'grpc.health.v1.Health/Any',
    'grpc.reflection.v1.ServerReflection/Any',
    'grpc.reflection.v1alpha.ServerReflection/Any',
  ]);
  assert.deepEqual(ofKind('fabric'), ['selvedge.fabric.v1.Fabric/Any']);
  assert.deepEqual(ofKind('application'), []);
  assert.ok(ofKind('control').length > 8);
});

test('what looks like ours and is not known is for operators, and what only resembles ours is not', () => {
  assert.equal(kindOfMethod('/selvedge.new.v1.Service/Method'), 'control');
  assert.equal(kindOfMethod('/selvedge.fabric.v1.Fabric2/Connect'), 'control');
  assert.equal(kindOfMethod('/selvedge.messages/x'), 'control');
  for (const path of [
    '/selvedgeish.v1.S/M',
    '/grpc.health.v1.Health2/Check',
    '/Unqualified/M',
    '/acme.Shop/Buy',
    '/selvedge.message/cache.invalidate',
    'x',
    '',
  ])
    assert.equal(kindOfMethod(path), 'application', path);
});
