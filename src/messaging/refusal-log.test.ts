import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { RefusalLog } from './refusal-log.ts';

test('a host that claims a new name with each Hello gets few lines, and takes none from others', () => {
  const hosts: string[] = [];
  const logger = createLogger({ write: line => hosts.push(JSON.parse(line).remote) });
  let told = 0;
  const log = new RefusalLog(logger, createMetrics(), () => {
    told += 1;
  });
  const knock = (node: string, remoteAddress: string) => {
    const caller = { ...callerWith('anonymous'), remoteAddress };
    log.refused({ node, reason: 'not_a_member', detail: '', caller });
  };
  for (let port = 1; port <= 100; port += 1) knock(`made-up-${port}`, `10.0.0.1:${port}`);
  knock('node-2', '10.0.0.2:1');
  assert.equal(hosts.filter(host => host.startsWith('10.0.0.1:')).length, 5);
  assert.equal(hosts.at(-1), '10.0.0.2:1');
  assert.equal(told, 101, 'each counts all the same');
});
