import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginsMessagePath, isMessageKind, isMessagePath, messagePath } from './message-path.ts';

test('a kind is 1 to 64 of a-z, 0-9, ".", "_" and "-", and its path is that of a method', () => {
  for (const kind of ['a', 'cache.invalidate', 'raft_vote-2', 'x'.repeat(64)]) {
    assert.ok(isMessageKind(kind), kind);
    assert.equal(messagePath(kind), `/selvedge.message/${kind}`);
    assert.ok(isMessagePath(messagePath(kind)), kind);
  }
  for (const text of ['', 'A', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(65)]) {
    assert.ok(!isMessageKind(text), text);
    assert.ok(!isMessagePath(messagePath(text)), text);
  }
  for (const path of ['/selvedge.messages/a', 'selvedge.message/a', '/x/selvedge.message/a', ''])
    assert.ok(!isMessagePath(path), path);
});

test('what paths of messages can begin with names their service whole', () => {
  for (const text of ['/selvedge.message/', '/selvedge.message/cache.']) assert.ok(beginsMessagePath(text), text);
  for (const text of ['', '/', '/selvedge.', '/selvedge.message', '/selvedge.message/A', '/selvedge.message/a/'])
    assert.ok(!beginsMessagePath(text), text);
});
