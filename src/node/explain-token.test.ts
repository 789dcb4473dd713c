import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import type { TokenEntry } from '../authentication/token-file.ts';
import { lackingCredentials } from './authenticate-calls.ts';
import { explainCallsUnder } from './explain-calls.ts';
import { explainToken } from './explain-token.ts';

const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const STATUS = '/selvedge.control.v1.NodeControl/GetStatus';
const CONNECT = '/selvedge.fabric.v1.Fabric/Connect';
const SETTINGS = {
  tls: undefined,
  authorization: { bearer: { tokenFile: 'tokens', jwt: undefined, allowPlaintext: false } },
};
const NOW = new Date('2030-01-31T00:00:00Z');

const robot: TokenEntry = {
  name: 'robot',
  roles: new Set(['observer']),
  hash: Buffer.alloc(32),
  expiresAtMs: NOW.getTime() + 1,
};
const calls = explainCallsUnder(
  {
    enforced: { policy: undefined, strict: true },
    shadow: undefined,
    lacks: (caller, path) => lackingCredentials(caller, path, SETTINGS),
    served: [STATUS, DRAIN, CONNECT],
  },
  { method: undefined, headers: new Metadata() },
);

test('a token that is taken is told with its roles, its end, and what it opens', () => {
  const { admitted, reason, roles, principal, detail, methods } = explainToken('robot', [robot], calls, NOW);
  assert.deepEqual([admitted, reason, roles, principal], [true, '', ['observer'], 'token:robot']);
  assert.match(detail, /until 2030-01-31T00:00:00\.001Z/);
  assert.deepEqual(
    methods.map(({ method, enforced }) => [method, enforced?.allowed, enforced?.rule]),
    [
      [DRAIN, false, 'changing'],
      [STATUS, true, 'reading'],
      [CONNECT, false, 'authentication'],
    ],
  );
});

test('a token that is not taken is told why, in the word that its holder leaves in the log, and opens nothing', () => {
  const ended = { ...robot, expiresAtMs: NOW.getTime() };
  const cases: readonly (readonly [readonly TokenEntry[] | undefined, string, RegExp])[] = [
    [[{ ...robot, name: 'ann' }], 'unknown_token', /no line of this name/],
    [[], 'unknown_token', /no line of this name/],
    [undefined, 'unknown_token', /no static token is taken/],
    [[ended], 'token_expired', /ended at 2030/],
  ];
  for (const [tokens, word, why] of cases) {
    const { admitted, reason, detail, roles, principal, methods } = explainToken('robot', tokens, calls, NOW);
    assert.deepEqual([admitted, reason, roles, principal, methods], [false, word, [], '', []]);
    assert.match(detail, why);
  }
});
