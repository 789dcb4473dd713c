import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../telemetry/logger.ts';
import { SparingLog } from './sparing-log.ts';

test('of a peer that comes and goes without end there are a few lines in ten seconds, and how many are missing', () => {
  const lines: { event: string; suppressed?: number }[] = [];
  let now = 0;
  const log = new SparingLog(createLogger({ write: line => lines.push(JSON.parse(line)) }), () => now);
  for (let time = 0; time < 1_000; time += 1) {
    log.info('peer.connected', { node: 'node-2' });
    log.warn('peer.suspect', { node: 'node-2' });
  }
  assert.equal(lines.length, 40);
  now = 10_000;
  log.info('peer.connected', { node: 'node-2' });
  assert.equal(lines.at(-1)?.suppressed, 980);
});
