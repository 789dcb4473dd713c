import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { tlsCaller } from '../../test/kit/policies.ts';
import type { Caller } from '../rpc/caller.ts';
import { lackingCredentials } from './authenticate-calls.ts';
import { explainCallsUnder } from './explain-calls.ts';

const HEALTH = '/grpc.health.v1.Health/Check';
const STATUS = '/selvedge.control.v1.NodeControl/GetStatus';
const CONNECT = '/selvedge.fabric.v1.Fabric/Connect';
const BEARER = { tokenFile: undefined, jwt: undefined, allowPlaintext: false };

function rulesFor(caller: Caller, requireClientAuth: boolean, isTaken = true): unknown {
  const settings = { tls: { requireClientAuth }, authorization: { bearer: isTaken ? BEARER : undefined } };
  const standard = { policy: undefined, strict: false };
  const { methods } = explainCallsUnder(
    {
      enforced: standard,
      shadow: undefined,
      lacks: (who, path) => lackingCredentials(who, path, settings),
      served: [STATUS, HEALTH, CONNECT],
    },
    { method: undefined, headers: new Metadata() },
  )(caller);
  return methods.map(({ enforced }) => [enforced?.allowed, enforced?.rule]);
}

test('who shows neither certificate nor token is told what is lacking, where tokens are taken', () => {
  const stranger = tlsCaller(undefined);
  assert.deepEqual(rulesFor(stranger, true), [
    [true, 'public'],
    [false, 'authentication'],
    [false, 'authentication'],
  ]);
  assert.deepEqual(rulesFor(stranger, false), [
    [true, 'public'],
    [false, 'authentication'],
    [true, 'fabric'],
  ]);
  const withoutTokens = [
    [true, 'public'],
    [true, 'reading'],
    [true, 'fabric'],
  ];
  assert.deepEqual(rulesFor(stranger, false, false), withoutTokens);
  assert.deepEqual(rulesFor(tlsCaller({ subject: 'CN=a' }), true), withoutTokens);
});
