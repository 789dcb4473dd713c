import assert from 'node:assert/strict';
import { chmod, chown, lchown, mkdir, mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { answerOf, createTrustDomain, startWorkloadApi } from '../../test/kit/workload-api.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { createLogger, silentLogger } from '../telemetry/logger.ts';
import { openCredentialsStore } from './credentials-store.ts';
import type { CredentialSpec } from './open-credential-source.ts';
import { whyNotOurs } from './place-checks.ts';

test('where no place holds credentials nothing opens, and each place is named with what it lacks', async t => {
  const { path, spec } = await setUp(t, 'missing', 'empty', 'half');
  await mkdir(path('empty'));
  await mkdir(path('half'));
  await writeFile(path('half', 'tls.crt'), 'text');
  await assert.rejects(open(spec), error => {
    assert.ok(isSelvedgeError(error, 'credentials_invalid'));
    const lines = error.message.split('; ');
    assert.equal(lines[0], `${path('missing')}: is missing`);
    assert.match(lines[1] ?? '', new RegExp(`^${path('empty')}: holds no credentials: looked for svid\\.pem`));
    assert.equal(lines[2], `${path('half', 'tls.key')}: is missing`);
    assert.equal(error.facts.mayPass, true, 'an agent may start later');
    return true;
  });
});

test('the first place that holds credentials is taken, and said in the log with those before it', async t => {
  const { path, spec, fill } = await setUp(t, 'missing', 'second', 'third');
  await fill('second');
  await fill('third');
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', write: line => lines.push(line) });
  const store = await openCredentialsStore({ spec, refreshIntervalMs: 60_000, watch: false, logger });
  t.after(() => store.close());
  assert.equal(store.snapshot.value.own.identity.commonName, 'second');
  const found = lines.map(line => JSON.parse(line)).find(({ event }) => event === 'tls.source_found');
  assert.equal(found.place, path('second'));
  assert.deepEqual(found.passed_over, [`${path('missing')}: is missing`]);
});

test('a place that was taken stays so: what it lacks later is a problem, and no reason to take another one', async t => {
  const { path, spec, fill } = await setUp(t, 'first', 'second');
  await fill('first');
  await fill('second');
  const store = await open(spec);
  t.after(() => store.close());
  await unlink(path('first', 'tls.key'));
  const { result, problems } = await store.reload('admin');
  assert.equal(result, 'failed');
  assert.deepEqual(problems, [{ file: path('first', 'tls.key'), problem: 'is missing' }]);
  assert.equal(store.snapshot.value.own.identity.commonName, 'first');
});

const GIVING_AWAY = { skip: process.getuid?.() !== 0 && 'only root can give a file away' };
const STRANGER = 12_345;

test('a place where everybody may write is believed only of root and of ourselves', GIVING_AWAY, async t => {
  const { path, spec, fill } = await setUp(t, join('shared', 'place'));
  await mkdir(path('shared'));
  await chmod(path('shared'), 0o1777);
  await fill(join('shared', 'place'));
  assert.equal(await whyNotOurs(path('shared', 'place')), undefined);
  await chown(path('shared', 'place'), STRANGER, STRANGER);
  assert.match((await whyNotOurs(path('shared', 'place'))) ?? '', /belongs to user 12345/);
  assert.match((await whyNotOurs(path('shared', 'place', 'below.sock'))) ?? '', /belongs to user 12345/);
  await assert.rejects(open(spec), /belongs to user 12345, in a directory in which everybody may write/);
});

test('a link is believed no more than where it leads, and what is missing is not believed', GIVING_AWAY, async t => {
  const { path, fill } = await setUp(t);
  await mkdir(path('shared'));
  await chmod(path('shared'), 0o1777);
  await fill(join('shared', 'theirs'));
  await symlink(path('shared', 'theirs'), path('link'));
  await symlink('link', path('relative'));
  assert.equal(await whyNotOurs(path('relative', 'tls.key')), undefined);
  await chown(path('shared', 'theirs'), STRANGER, STRANGER);
  assert.match((await whyNotOurs(path('relative', 'tls.key'))) ?? '', /shared\/theirs belongs to user 12345/);
  await lchown(path('relative'), STRANGER, STRANGER);
  assert.match((await whyNotOurs(path('relative'))) ?? '', /shared\/theirs belongs to user 12345/);
  await symlink('circle', path('circle'));
  assert.match((await whyNotOurs(path('circle'))) ?? '', /leads in a circle/);
  assert.equal(await whyNotOurs(path('shared', 'nobody')), 'is missing');
});

test('a directory that was taken is believed no longer than it is ours', GIVING_AWAY, async t => {
  const { path, spec, fill } = await setUp(t, join('shared', 'place'));
  await mkdir(path('shared'));
  await chmod(path('shared'), 0o1777);
  await fill(join('shared', 'place'));
  const store = await open(spec);
  t.after(() => store.close());
  await chown(path('shared', 'place'), STRANGER, STRANGER);
  const { result, problems } = await store.reload('admin');
  assert.equal(result, 'failed');
  assert.match(problems[0]?.problem ?? '', /belongs to user 12345/);
  await chown(path('shared', 'place'), 0, 0);
  assert.equal((await store.reload('admin')).result, 'unchanged');
});

test('an agent that comes back is dialled only while its socket is ours', GIVING_AWAY, async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const place = { kind: 'spiffe', socketPath: agent.socketPath, caFiles: [], crlFiles: [] } as const;
  const store = await openCredentialsStore({
    spec: { kind: 'auto', places: [place] },
    refreshIntervalMs: 60_000,
    watch: true,
    logger: silentLogger,
  });
  t.after(() => store.close());
  const calls = agent.calls;
  await chown(dirname(agent.socketPath), STRANGER, STRANGER);
  agent.endStreams();
  agent.answer(answerOf(await (await createTrustDomain('evil')).svid('/fabric/node-1')));
  const warning = () => store.state.value.warnings.join('; ');
  await until('it is said why nobody is dialled', () => /belongs to user 12345.*stays in use/.test(warning()));
  assert.equal(agent.calls, calls);
  assert.equal(store.snapshot.value.own.identity.spiffeId, 'spiffe://dev/fabric/node-1');
  agent.answer(answerOf(await domain.svid('/fabric/node-2')));
  await chown(dirname(agent.socketPath), 0, 0);
  await until('the agent is dialled again', () => agent.calls > calls);
});

function open(spec: CredentialSpec) {
  return openCredentialsStore({ spec, refreshIntervalMs: 60_000, watch: false, logger: silentLogger });
}

let authority: Promise<Authority> | undefined;

async function setUp(t: TestContext, ...names: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-auto-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = (...parts: readonly string[]) => join(directory, ...parts);
  const places = names.map(name => ({ kind: 'directory', directory: path(name), caFiles: [], crlFiles: [] }) as const);
  const fill = async (name: string): Promise<void> => {
    authority ??= createAuthority();
    const { certPem, keyPem } = await (await authority).issue({ commonName: name.replaceAll('/', '-') });
    await mkdir(path(name));
    const files = { 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': (await authority).anchorsPem };
    for (const [file, text] of Object.entries(files)) await writeFile(path(name, file), text, { mode: 0o600 });
  };
  return { path, fill, spec: { kind: 'auto', places } as const };
}
