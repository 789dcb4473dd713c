import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Refuser } from './refuser.ts';

test('a flood of certificates that nobody vouches for is a few lines, however many there are; those of a CA are told apart', () => {
  const lines = (reason: RefusalReason): number => {
    const events: string[] = [];
    const logger = { ...silentLogger, warn: (event: string) => void events.push(event) };
    const refuser = new Refuser(logger, createMetrics());
    for (let index = 0; index < 40; index += 1) {
      const identity = peerIdentity({ fingerprint256: index.toString(16).padStart(64, '0') });
      refuser.record(new net.Socket(), { reason, detail: '', identity });
    }
    return events.length;
  };
  assert.equal(lines('unknown_ca'), 5);
  assert.equal(lines('malformed_certificate'), 5);
  assert.equal(lines('certificate_revoked'), 40);
});
