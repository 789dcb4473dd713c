import { test } from 'node:test';
import { checkChainVectors } from './chain-verdicts.ts';

test('a client chain is judged as x509-limbo and Go say, after a real handshake', t =>
  checkChainVectors(t, 'x509-client-chains.json', 'client'));
