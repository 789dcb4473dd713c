import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import * as http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { packageDefinition } from '../../src/rpc/service.ts';
import { runCtl } from '../cli/programs.ts';
import { JWT_SETTINGS, JwtIssuer } from '../kit/jwt-issuer.ts';
import { ReflectionClient } from '../kit/reflection-client.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, fabricUrl, type NodeConfig, TestCluster } from './test-cluster.ts';

const NODE = 'node-1';
const MODE_OF_FILES = 0o600;
const GET_STATUS = '/selvedge.control.v1.NodeControl/GetStatus';

test('operators with tokens: what they may, and that it ends when their token is taken away', async t => {
  const { cluster, daemon, ctl, token, writeTokens } = await startNode(t);
  const [admin, observer, late] = [
    await token('ann', 'admin'),
    await token('board', 'observer'),
    await token('late', 'admin'),
  ];
  await writeTokens(admin, observer);

  await t.test('an observer sees everything and changes nothing', async () => {
    const status = await ctl(observer, 'status', '-o', 'json');
    assert.equal(status.exitCode, 0, status.stderr);
    assert.match(status.stdout, /"addresses_redacted": false/);
    assert.match(status.stdout, /127\.0\.0\.1/);
    const reload = await ctl(observer, 'tls', 'reload');
    assert.equal(reload.exitCode, 1);
    assert.match(
      reload.stderr,
      /permission denied for .*ReloadTls\. It needs the role admin\. Use a token that gives it/,
    );
  });

  await t.test('an admin changes', async () => {
    const { exitCode, stderr } = await ctl(admin, 'tls', 'reload');
    assert.equal(exitCode, 0, stderr);
  });

  await t.test('a token that the node does not know is refused, and the reason is in its log alone', async () => {
    const { exitCode, stderr } = await ctl(late, 'status');
    assert.equal(exitCode, 1);
    assert.match(stderr, /does not take the token/);
    const line = await daemon.waitFor('authentication.failed', ({ reason }) => reason === 'unknown_token');
    assert.equal(typeof line.remote, 'string');
  });

  await t.test('who asks for a token by its name is told what it opens, or that there is none', async () => {
    const explain = (name: string) => ctl(admin, 'authz', 'explain', '--token-name', name, '-o', 'json');
    const { stdout, exitCode, stderr } = await explain('board');
    assert.equal(exitCode, 0, stderr);
    const [{ principal, roles, methods }] = JSON.parse(stdout);
    assert.deepEqual([principal, roles], ['token:board', ['observer']]);
    const may = (name: string) => methods.find(({ method }: { method: string }) => method.endsWith(name)).allowed;
    assert.deepEqual([may('/GetStatus'), may('/Explain'), may('/Drain'), may('/Connect')], [true, true, false, false]);
    const none = await explain('late');
    assert.deepEqual([none.exitCode, JSON.parse(none.stdout)[0].reason], [3, 'unknown_token']);
  });

  await t.test('the token file is taken live: new tokens come in, those that are gone do not', async () => {
    await writeTokens(observer, late);
    await until('late comes in', async () => (await ctl(late, 'tls', 'reload')).exitCode === 0);
    assert.match((await ctl(admin, 'tls', 'reload')).stderr, /does not take the token/);
  });

  await t.test('a broken token file leaves the last good one, and the node says so', async () => {
    await writeFileAtomic(cluster.path('tokens'), `${admin.line}\nnonsense\n`, MODE_OF_FILES);
    await daemon.waitFor('authentication.reload_failed');
    assert.match((await askLocally(daemon, 'GetStatus')).problems.join(), /tokens: .*tokens:2/);
    assert.equal((await ctl(late, 'tls', 'status')).exitCode, 0);
  });

  await t.test('the audit trail names who held a token, and who held none that is good', async () => {
    const reloads = daemon.lines.filter(
      ({ event, rpc_method: method }) => event === 'audit.record' && /ReloadTls$/.test(String(method)),
    );
    const facts = reloads.map(({ principal, matched_rule: rule, authorized }) => `${principal} ${rule} ${authorized}`);
    assert.ok(
      facts.some(each => /^token:ann .*true$/.test(each)),
      facts.join('; '),
    );
    assert.ok(
      facts.some(each => /^token:board .*false$/.test(each)),
      facts.join('; '),
    );
    assert.ok(facts.includes('role:anonymous authentication false'), facts.join('; '));
  });

  await t.test('no token is in the log, nor one that is no text of metadata', async () => {
    const headers = { ':method': 'POST', ':path': GET_STATUS, 'content-type': 'application/grpc', te: 'trailers' };
    const session = http2.connect(fabricUrl(daemon), { ca: cluster.store.authority.anchorsPem });
    const call = session.request({ ...headers, authorization: `Bearer ${admin.token}\u00e9` });
    const [answer] = await once(call.end(), 'response');
    assert.equal(answer['grpc-status'], String(grpc.status.UNAUTHENTICATED));
    session.destroy();
    const log = JSON.stringify(daemon.lines);
    for (const each of [admin, observer, late]) assert.ok(!log.includes(each.token));
  });

  await t.test('an admin drains', async () => {
    assert.equal((await ctl(late, 'drain')).stdout, 'draining\n');
    assert.equal(await daemon.exited, 0);
    assert.equal(daemon.stderr, '', 'what grpc-js writes');
  });
});

test('JWTs: good ones come in, all others do not; the key set is taken live', async t => {
  const [issuer, next] = [await JwtIssuer.make('k1'), await JwtIssuer.make('k2')];
  const { cluster, daemon, ctlWith } = await startNode(t, {
    jwks: { keys: [issuer.jwk] },
    authorization: {
      auth: 'jwt',
      jwt: {
        issuer: JWT_SETTINGS.issuer,
        audience: 'selvedge',
        'jwks-file': 'jwks.json',
        'admin-values': 'fabric-admin',
        'observer-values': 'fabric-observer',
      },
    },
  });
  const run = async (jwt: string) => (await ctlWith(jwt, 'tls', 'reload')).exitCode;
  assert.equal(await run(await issuer.sign()), 0);
  assert.equal(await run(await issuer.sign({ claims: { roles: ['fabric-observer'] } })), 1);
  assert.equal((await ctlWith(await issuer.sign({ claims: { roles: 'user' } }), 'status')).exitCode, 1);

  const bad: readonly (readonly [string, string])[] = [
    [await issuer.sign({ claims: { exp: Math.floor(Date.now() / 1_000) - 60 } }), 'token_expired'],
    [await issuer.sign({ claims: { aud: 'other' } }), 'jwt_wrong_audience'],
    [await next.sign(), 'jwt_unknown_key'],
  ];
  for (const [jwt, reason] of bad) {
    const since = daemon.lines.length;
    assert.equal(await run(jwt), 1, reason);
    await daemon.waitFor('authentication.failed', line => line.reason === reason, since);
  }

  await writeFileAtomic(cluster.path('jwks.json'), JSON.stringify({ keys: [next.jwk] }), MODE_OF_FILES);
  await daemon.waitFor('authentication.file_changed');
  assert.equal(await run(await next.sign()), 0);
  assert.equal(await run(await issuer.sign()), 1);
});

test('without certificate and token: health and reflection, and no other method of any service', async t => {
  const { daemon, client } = await startNode(t);
  const stranger = await client();
  const open: string[] = [];
  for (const path of await everyMethod(stranger)) {
    const { code, details } = await callRaw(stranger, path);
    if (code === grpc.status.UNAUTHENTICATED) assert.equal(details, 'unauthenticated');
    else open.push(path);
  }
  assert.deepEqual(open.toSorted(), [
    '/grpc.health.v1.Health/Check',
    '/grpc.health.v1.Health/Watch',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  ]);
  assert.equal((await askLocally(daemon, 'GetStatus')).nodeName, NODE, 'the admin socket needs no token');
});

test('a token opens the control services, and no fabric stream', async t => {
  const { client, token, writeTokens } = await startNode(t);
  const admin = await token('ann', 'admin');
  await writeTokens(admin);
  const holder = await client();
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${admin.token}`);
  const codes = async (path: string) => (await callRaw(holder, path, metadata)).code;
  assert.equal(await codes('/selvedge.control.v1.NodeControl/GetStatus'), grpc.status.OK);
  assert.equal(await codes('/selvedge.fabric.v1.Fabric/Connect'), grpc.status.UNAUTHENTICATED);
});

test('over plaintext no token is taken, and the log says that it is burnt', async t => {
  const { daemon, ctl, token, writeTokens } = await startNode(t, { mode: 'optional' });
  const admin = await token('ann', 'admin');
  await writeTokens(admin);
  const http = `http://127.0.0.1:${fabricPort(daemon)}`;
  const refusedHere = await ctl(admin, 'status', '-s', http);
  assert.equal(refusedHere.exitCode, 2);
  assert.match(refusedHere.stderr, /is plaintext, and a token is given/);
  const sent = await ctl(admin, 'status', '-s', http, '--allow-plaintext');
  assert.equal(sent.exitCode, 1);
  assert.match(sent.stderr, /does not take the token/);
  await daemon.waitFor('authentication.failed', ({ reason }) => reason === 'plaintext_token');
  const plain = new grpc.Client(`127.0.0.1:${fabricPort(daemon)}`, grpc.credentials.createInsecure());
  t.after(() => plain.close());
  for (const method of ['GetStatus', 'ListConnections', 'GetTlsState'])
    assert.equal(
      (await callRaw(plain, `/selvedge.control.v1.NodeControl/${method}`)).code,
      grpc.status.UNAUTHENTICATED,
    );
  assert.equal((await callRaw(plain, '/grpc.health.v1.Health/Check')).code, grpc.status.OK);
});

interface MadeToken {
  readonly token: string;
  readonly line: string;
  /** Holds the token alone. */
  readonly file: string;
}

async function startNode(
  t: TestContext,
  options: { mode?: NodeConfig['mode']; authorization?: object; jwks?: object } = {},
) {
  const cluster = await TestCluster.make(t);
  const writeTokens = async (...tokens: readonly MadeToken[]): Promise<void> => {
    const since = started?.lines.length ?? 0;
    await writeFileAtomic(
      cluster.path('tokens'),
      `# tokens\n${tokens.map(({ line }) => `${line}\n`).join('')}`,
      MODE_OF_FILES,
    );
    await started?.waitFor('authentication.file_changed', () => true, since);
  };
  let started: Daemon | undefined;
  await writeTokens();
  if (options.jwks !== undefined)
    await writeFile(cluster.path('jwks.json'), JSON.stringify(options.jwks), { mode: MODE_OF_FILES });
  const authorization = options.authorization ?? { auth: ['mtls', 'token'], 'token-file': 'tokens' };
  const daemon = await cluster.start(NODE, { mode: options.mode ?? 'strict', top: { authorization } });
  started = daemon;
  const ca = cluster.path('certs', 'ca.pem');
  const address = `https://127.0.0.1:${fabricPort(daemon)}`;
  const ctlWithFile = (file: string, args: readonly string[]) => {
    const at = args.includes('-s') ? [] : ['-s', address];
    return runCtl([...args, ...at, '--tls-ca', ca, '--token-file', file]);
  };
  const ctlWith = async (token: string, ...args: readonly string[]) => {
    const file = cluster.path('token-of-caller');
    await writeFile(file, `${token}\n`, { mode: MODE_OF_FILES });
    return ctlWithFile(file, args);
  };
  return {
    cluster,
    daemon,
    writeTokens,
    ctl: ({ file }: MadeToken, ...args: readonly string[]) => ctlWithFile(file, args),
    ctlWith,
    token: async (name: string, role: string): Promise<MadeToken> => {
      const { stdout, stderr } = await runCtl(['token', 'new', '--name', name, '--role', role, '-o', 'json']);
      assert.equal(stderr, '');
      const { token, line } = JSON.parse(stdout);
      const file = cluster.path(`token-${name}`);
      await writeFile(file, token, { mode: MODE_OF_FILES });
      return { token, line, file };
    },
    client: async () => {
      const credentials = grpc.credentials.createSsl(Buffer.from(cluster.store.authority.anchorsPem));
      const client = new grpc.Client(`127.0.0.1:${fabricUrl(daemon).port}`, credentials);
      t.after(() => client.close());
      return client;
    },
  };
}

/** Of our own proto files, and of every other service that the node names in reflection. */
async function everyMethod(client: grpc.Client): Promise<readonly string[]> {
  using reflection = new ReflectionClient(client);
  const { listServicesResponse } = await reflection.ask({ listServices: '' });
  const others = new Set((listServicesResponse?.service ?? []).map(({ name }) => name));
  const methods = Object.entries(packageDefinition).flatMap(([name, definition]) => {
    if ('format' in definition) return [];
    others.delete(name);
    return Object.values(definition).map(({ path }) => path);
  });
  assert.ok(methods.length > 10);
  for (const [service, names] of Object.entries(STANDARD)) {
    others.delete(service);
    methods.push(...names.map(name => `/${service}/${name}`));
  }
  assert.deepEqual([...others], [], 'a service that this test does not know');
  return methods;
}

const STANDARD = {
  'grpc.health.v1.Health': ['Check', 'Watch'],
  'grpc.reflection.v1.ServerReflection': ['ServerReflectionInfo'],
  'grpc.reflection.v1alpha.ServerReflection': ['ServerReflectionInfo'],
};

/** Calls a method with an empty message, and does not wait for the end of a stream that answers. */
function callRaw(
  client: grpc.Client,
  path: string,
  metadata: grpc.Metadata = new grpc.Metadata(),
): Promise<{ code: grpc.status; details: string }> {
  const identity = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(path, identity, identity, metadata, { deadline: Date.now() + 60_000 });
  return new Promise(resolve => {
    let hasAnswered = false;
    call.on('error', () => {});
    call.on('data', () => {
      hasAnswered = true;
      call.cancel();
    });
    call.on('status', ({ code, details }) =>
      resolve(hasAnswered ? { code: grpc.status.OK, details: '' } : { code, details }),
    );
    call.write(Buffer.alloc(0));
    call.end();
  });
}
