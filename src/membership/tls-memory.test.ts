import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseAddress, type TcpAddress } from '../identity/address.ts';
import { afterEntries, afterWord, type MemberWord, NO_MEMORY, type TlsMemory, wouldDowngrade } from './tls-memory.ts';

const ENTRY = entry('node-2.example:5122');
const SPOKE = afterWord(NO_MEMORY, 'node-2', ENTRY, word(), true);

test('who spoke over mutual TLS is remembered, and would take a step down from then on', () => {
  assert.equal(wouldDowngrade(NO_MEMORY, 'node-2'), false);
  assert.equal(wouldDowngrade(SPOKE, 'node-2'), true);
  assert.equal(wouldDowngrade(SPOKE, 'node-3'), false);
});

test('what is not said over mutual TLS changes nothing', () => {
  const goingBack = word({ mode: 'plain', texts: ['http://node-2.example:5122'], generation: 9 });
  assert.equal(afterWord(SPOKE, 'node-2', ENTRY, goingBack, false), SPOKE);
  assert.equal(afterWord(NO_MEMORY, 'node-2', ENTRY, word(), false), NO_MEMORY);
});

test('who says over mutual TLS that it is in plain, or advertises http alone, may go back', () => {
  for (const said of [word({ mode: 'plain' }), word({ texts: ['http://node-2.example:1', 'http://10.0.0.2:1'] })])
    assert.equal(afterWord(SPOKE, 'node-2', ENTRY, said, true).size, 0);
});

test('who advertises nothing, or http beside https, does not go back', () => {
  for (const texts of [[], ['http://node-2.example:1', 'https://node-2.example:1']])
    assert.ok(wouldDowngrade(afterWord(SPOKE, 'node-2', ENTRY, word({ texts }), true), 'node-2'));
});

test('a member at a unix socket is never remembered', () => {
  assert.equal(afterWord(NO_MEMORY, 'node-2', entry('unix:/run/node-2.sock'), word(), true).size, 0);
  assert.equal(afterEntries(SPOKE, listing('unix:/run/node-2.sock')).size, 0);
});

test('a changed entry permits plaintext where it lists http, and as long as it stands', () => {
  assert.equal(listed(SPOKE, 'node-2.example:5122'), SPOKE, 'the same entry');
  assert.ok(wouldDowngrade(listed(SPOKE, 'node-2.example:6000'), 'node-2'));
  assert.ok(wouldDowngrade(listed(SPOKE, 'https://node-2.example:5122'), 'node-2'));
  const permitted = listed(SPOKE, 'http://node-2.example:5122');
  assert.equal(wouldDowngrade(permitted, 'node-2'), false);
  assert.ok(wouldDowngrade(listed(permitted, 'node-2.example:5122'), 'node-2'), 'it is listed without http again');
});

test('an entry that listed http when the member spoke TLS permits nothing', () => {
  const entryOfThen = entry('http://node-2.example:5122');
  const memory = afterWord(NO_MEMORY, 'node-2', entryOfThen, word(), true);
  assert.equal(
    afterEntries(memory, () => entryOfThen),
    memory,
  );
  assert.ok(wouldDowngrade(memory, 'node-2'));
});

test('what was permitted holds for the process that spoke TLS then, and ends with another one that does', () => {
  const permitted = listed(SPOKE, 'http://node-2.example:5122');
  const now = entry('http://node-2.example:5122');
  assert.equal(afterWord(permitted, 'node-2', now, word(), true), permitted);
  assert.ok(wouldDowngrade(afterWord(permitted, 'node-2', now, word({ generation: 2 }), true), 'node-2'));
});

test('who leaves the source is forgotten', () => {
  assert.equal(afterEntries(SPOKE, () => undefined).size, 0);
});

test('who is only out of sight is not', () => {
  assert.equal(
    afterEntries(
      SPOKE,
      () => undefined,
      () => false,
    ),
    SPOKE,
  );
});

function listed(memory: TlsMemory, ...texts: readonly string[]): TlsMemory {
  return afterEntries(memory, listing(...texts));
}

function entry(...texts: readonly string[]): readonly Address[] {
  return texts.map(parseAddress);
}

function word(changes: Partial<Omit<MemberWord, 'addresses'>> & { texts?: readonly string[] } = {}): MemberWord {
  const { texts = ['https://node-2.example:5122', 'http://node-2.example:5122'], ...said } = changes;
  const addresses = texts.map(parseAddress).filter((address): address is TcpAddress => address.kind === 'tcp');
  return { generation: 1, mode: 'optional', addresses, ...said };
}

function listing(...texts: readonly string[]) {
  return (name: string) => (name === 'node-2' ? entry(...texts) : undefined);
}
