import { test } from 'node:test';
import { checkChainVectors } from './chain-verdicts.ts';

test('a server chain and its host are judged as x509-limbo, BetterTLS and Go say, after a real handshake', t =>
  checkChainVectors(t, 'x509-server-chains.json', 'server'));
