import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Metadata } from '@grpc/grpc-js';
import { tlsCaller } from '../../test/kit/policies.ts';
import { until } from '../../test/kit/until.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { writeFileAtomic } from '../lifecycle/atomic-write.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { CallPolicies } from './call-policies.ts';
import { NodeProblems } from './node-problems.ts';
import type { NodeSettings } from './node-settings.ts';
import { resolveOrThrow } from './reload-options.ts';

const METHODS = ['/a.Orders/Place', '/a.Orders/Cancel'];
const ANN = tlsCaller({ subject: 'CN=ann' });
const headers = new Metadata();
const allowing = (name: string, ...principals: readonly string[]): string =>
  JSON.stringify({ name, allow_rules: [{ name: 'only', source: { principals } }] });

test('it starts on what the file says, and goes back to the built-in rules when there is none', async t => {
  const { policies, settings, file } = await open(t, { policy: allowing('one', 'CN=bob') });
  assert.deepEqual(policies.authorize.value(ANN, '/a.Orders/Place', headers), {
    allowed: false,
    policy: 'one',
    rule: '',
  });
  const before = policies.authorize.value;
  (await policies.prepare({ ...settings.value.authorization, policyFile: undefined })).take();
  assert.notEqual(policies.authorize.value, before, 'another function, so that running calls are judged again');
  assert.equal(policies.authorize.value(ANN, '/a.Orders/Place', headers).policy, 'built-in');
  assert.equal(policies.enforced, undefined);
  assert.equal(file('policy'), settings.value.authorization.policyFile);
});

test('what is no file of a policy is told in its place, and holds up nothing', async t => {
  const { policies, settings, file } = await open(t, { policy: allowing('one', 'CN=ann') });
  await mkdir(file('directory'));
  await promisify(execFile)('mkfifo', [file('pipe')]);
  await writeFile(file('large'), allowing('large', '*') + ' '.repeat(1024 * 1024));
  const problems = [
    ['directory', /is a directory/],
    ['pipe', /is not a regular file/],
    ['large', /is larger than 1048576 bytes/],
  ] as const;
  for (const [name, problem] of problems)
    await assert.rejects(policies.prepare({ ...settings.value.authorization, policyFile: file(name) }), error => {
      assert.ok(isSelvedgeError(error, 'config_invalid'));
      assert.match(error.message, problem);
      return error.facts.problems[0]?.place === file(name);
    });
  assert.equal(policies.enforced?.name, 'one');
});

test('the same rules are the same function, and another mode another', async t => {
  const { policies, settings } = await open(t, { policy: allowing('one', '*', 'role:anonymous') });
  const before = policies.authorize.value;
  settings.set({ ...settings.value, logLevel: 'debug' });
  assert.equal(policies.authorize.value, before);
  assert.equal(before(tlsCaller(undefined), '/a.Orders/Place', headers).allowed, true);
  settings.set({ ...settings.value, mode: 'strict' });
  assert.equal(policies.authorize.value(tlsCaller(undefined), '/a.Orders/Place', headers).allowed, false);
});

test('what is wrong with both files is told at once, and nothing changes', async t => {
  const { policies, settings, file } = await open(t, { policy: allowing('one', 'CN=ann') });
  await writeFile(file('bad'), '{"name": "x"}');
  const next = { ...settings.value.authorization, policyFile: file('bad'), shadowPolicyFile: file('gone') };
  await assert.rejects(policies.prepare(next), error => {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    const places = error.facts.problems.map(({ place }) => place);
    return places.length === 2 && places[0] === `${file('bad')}:1:1` && places[1] === file('gone');
  });
  assert.equal(policies.enforced?.name, 'one');
});

test('policies that are prepared and not taken do not hold', async t => {
  const { policies, settings, file } = await open(t, { policy: allowing('one', 'CN=ann') });
  await writeFile(file('two'), allowing('two', 'CN=bob'));
  const prepared = await policies.prepare({ ...settings.value.authorization, policyFile: file('two') });
  await prepared.discard();
  assert.equal(policies.enforced?.name, 'one');
});

test('a file that is broken and taken out of the configuration is no problem any more', async t => {
  const { policies, settings, problems, file, log } = await open(t, { policy: allowing('one', 'CN=ann') });
  await writeFileAtomic(file('policy'), 'nonsense', 0o600);
  await until('it is told', () => problems.sources.includes('policy'));
  (await policies.prepare({ ...settings.value.authorization, policyFile: undefined })).take();
  assert.deepEqual(problems.all, []);
  assert.equal(log.filter(({ event }) => event === 'authorization.policy_reload_failed').length, 1);
});

test('a file that says again what it said is good again without another policy', async t => {
  const { policies, problems, file, log } = await open(t, { policy: allowing('one', 'CN=ann') });
  const before = policies.authorize.value;
  await writeFileAtomic(file('policy'), 'nonsense', 0o600);
  await until('it is told', () => problems.sources.includes('policy'));
  await writeFileAtomic(file('policy'), allowing('one', 'CN=ann'), 0o600);
  await until('it is good again', () => problems.sources.length === 0);
  assert.equal(policies.authorize.value, before);
  assert.ok(log.some(({ event }) => event === 'authorization.policy_reloaded'));
});

test('the report begins anew with other content, not with another date or another mode', async t => {
  const { policies, settings, file, log } = await open(t, { shadow: allowing('next', 'CN=bob') });
  const judge = () => {
    const decision = policies.authorize.value(ANN, '/a.Orders/Place', headers);
    policies.decided(ANN, '/a.Orders/Place', decision, headers);
  };
  judge();
  assert.deepEqual([policies.shadow?.report.calls, policies.shadow?.report.wouldDeny], [1, 1]);
  settings.set({ ...settings.value, mode: 'strict' });
  await utimes(file('shadow'), new Date(1_000), new Date(1_000));
  await writeFileAtomic(file('shadow'), 'nonsense', 0o600);
  await until('the broken one was read', () => log.some(({ event }) => event === 'authorization.policy_reload_failed'));
  judge();
  assert.equal(policies.shadow?.report.wouldDeny, 2);
  await writeFileAtomic(file('shadow'), allowing('next-2', 'CN=bob'), 0o600);
  await until('another policy is tried out', () => policies.shadow?.policy.name === 'next-2');
  assert.equal(policies.shadow?.report.calls, 0);
});

test('who was not found behind a call is not judged, and what a peer makes up is not kept', async t => {
  const { policies, metrics } = await open(t, { shadow: allowing('next', 'CN=bob') });
  const unauthenticated = { allowed: false, policy: 'built-in', rule: 'bearer' };
  policies.decided(ANN, '/a.Orders/Place', unauthenticated, undefined);
  assert.equal(policies.shadow?.report.calls, 0);
  policies.decided(ANN, '/made.Up/Method', { ...unauthenticated, allowed: true }, headers);
  assert.deepEqual(
    policies.shadow?.report.entries.map(({ method, principal }) => [method, principal]),
    [['/unknown/unknown', 'CN=ann']],
  );
  assert.match(await metrics.expose(), /shadow_total\{service="unknown",decision="would_deny"\} 1/);
});

async function open(t: TestContext, contents: { readonly policy?: string; readonly shadow?: string }) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-policies-'));
  const file = (name: string): string => join(directory, `${name}.json`);
  for (const [name, content] of Object.entries(contents)) await writeFile(file(name), content);
  const { settings } = resolveOrThrow({
    clusterName: 'dev',
    nodeName: 'node-1',
    dataDir: directory,
    authorization: {
      ...(contents.policy === undefined ? {} : { policyFile: file('policy') }),
      ...(contents.shadow === undefined ? {} : { shadowPolicyFile: file('shadow') }),
    },
  });
  const current = new MutableValue<NodeSettings>(settings);
  const log: { readonly event: string }[] = [];
  const metrics = createMetrics();
  const problems = new NodeProblems();
  const policies = await CallPolicies.open({
    settings: current,
    methods: METHODS,
    logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    metrics,
    problems,
  });
  t.after(async () => {
    await policies.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { policies, settings: current, problems, metrics, log, file };
}
