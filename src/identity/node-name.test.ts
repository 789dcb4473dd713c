import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNodeName, parseNodeName } from './node-name.ts';

for (const name of ['a', '7', 'node-1', 'rack.7', 'a..b', 'a'.repeat(63)])
  test(`${JSON.stringify(name)} is a node name`, () => assert.equal(parseNodeName(name), name));

for (const name of ['', '-a', 'a-', '.a', 'a.', 'A', 'a_b', 'a b', 'ä', 'a\n', 'a'.repeat(64)])
  test(`${JSON.stringify(name)} is not a node name`, () => {
    assert.equal(isNodeName(name), false);
    assert.throws(() => parseNodeName(name), { code: 'node_name_invalid', facts: { name } });
  });
