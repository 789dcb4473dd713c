import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { generateToken, hashOfToken } from '../../src/authentication/static-token.ts';
import { formatToken } from '../../src/authentication/token-file.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { AuthorizationOptions, FabricNodeOptions } from '../../src/node/node-options.ts';
import { type Caller, callerOf } from '../../src/rpc/caller.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { TestCluster } from '../cluster/test-cluster.ts';
import { until } from '../kit/until.ts';

const APPLICATION = 'acme.shop.v1.Orders';
/** One of ours without a rule of its own: for admins alone. */
const CONTROL = 'selvedge.test.v1.Slow';

test('a running call is cut when its token is taken away, and goes on when another is', async t => {
  const { start, open, writeTokens } = await makeNode(t);
  const [mine, other] = [generateToken(), generateToken()];
  await writeTokens(['ann', mine], ['bob', other]);
  const { client } = await start();
  const call = open(client, CONTROL, `Bearer ${mine}`);
  await call.answered;
  await writeTokens(['ann', mine]);
  const later = open(client, CONTROL, `Bearer ${other}`);
  await until(
    'bob is gone',
    async () => (await open(client, CONTROL, `Bearer ${other}`).status).code === grpc.status.UNAUTHENTICATED,
  );
  later.cancel();
  assert.equal(call.ended(), false);
  await writeTokens();
  const { code, metadata } = await call.status;
  assert.equal(code, grpc.status.UNAVAILABLE);
  assert.deepEqual(metadata.get('selvedge-reason'), ['subject_not_allowed']);
});

test('a running call is cut when its token expires', async t => {
  const { start, open, writeTokens } = await makeNode(t);
  const token = generateToken();
  const { client } = await start();
  const expiresAtMs = Math.ceil(Date.now() / 1_000) * 1_000 + 5_000;
  await writeTokens(['ann', token, expiresAtMs]);
  let call = open(client, CONTROL, `Bearer ${token}`);
  await until('the token is known', async () => {
    const isKnown = await Promise.race([call.answered.then(() => true), call.status.then(() => false)]);
    if (!isKnown) call = open(client, CONTROL, `Bearer ${token}`);
    return isKnown;
  });
  assert.equal((await call.status).code, grpc.status.UNAVAILABLE);
  assert.ok(Date.now() >= expiresAtMs);
  assert.equal((await open(client, CONTROL, `Bearer ${token}`).status).code, grpc.status.UNAUTHENTICATED);
});

test('an application sees the metadata of its peers as it came, whatever token they bear', async t => {
  const { start, open, seen, writeTokens } = await makeNode(t);
  const token = generateToken();
  await writeTokens(['ann', token]);
  const { peer, client } = await start();
  for (const authorization of ['Bearer of-the-application', 'Basic YTpi', `Bearer ${token}`]) {
    const call = open(peer, APPLICATION, authorization);
    await call.answered;
    call.cancel();
    const { caller, metadata } = seen.at(-1) ?? assert.fail();
    assert.deepEqual(metadata.get('authorization'), [authorization]);
    assert.deepEqual([[...caller.roles], caller.bearer], [['peer'], undefined]);
  }
  for (const authorization of [undefined, `Bearer ${token}`, 'Bearer of-the-application'])
    assert.equal((await open(client, APPLICATION, authorization).status).code, grpc.status.UNAUTHENTICATED);
});

test('on control services a token adds to a certificate, and a bad one is refused beside it', async t => {
  const { start, open, seen, writeTokens } = await makeNode(t);
  const token = generateToken();
  await writeTokens(['ann', token]);
  const { peer } = await start();
  const call = open(peer, CONTROL, `Bearer ${token}`);
  await call.answered;
  call.cancel();
  const { caller, metadata } = seen.at(-1) ?? assert.fail();
  assert.deepEqual([[...caller.roles], caller.bearer?.name], [['peer', 'admin'], 'ann']);
  assert.deepEqual(metadata.get('authorization'), []);
  assert.equal((await open(peer, CONTROL, 'Bearer of-the-application').status).code, grpc.status.UNAUTHENTICATED);
  assert.equal((await open(peer, CONTROL).status).code, grpc.status.PERMISSION_DENIED);
});

test('where no client certificate is required, applications stay open to anonymous callers of the mode, control does not', async t => {
  const { start, open } = await makeNode(t, { mode: 'optional', requireClientAuth: false });
  const { client } = await start();
  const call = open(client, APPLICATION);
  await call.answered;
  call.cancel();
  assert.equal((await open(client, CONTROL).status).code, grpc.status.UNAUTHENTICATED);
});

test('tokens are switched on and off while the node runs', async t => {
  const { start, open, writeTokens, options } = await makeNode(t);
  const token = generateToken();
  await writeTokens(['ann', token]);
  const { node, client } = await start();
  const codeNow = async () => {
    const call = open(client, CONTROL, `Bearer ${token}`);
    return Promise.race([call.answered.then(() => grpc.status.OK), call.status.then(({ code }) => code)]).finally(
      call.cancel,
    );
  };
  assert.equal(await codeNow(), grpc.status.OK);
  const running = open(client, CONTROL, `Bearer ${token}`);
  await running.answered;
  await node.reload({ ...options, authorization: {} });
  assert.equal((await running.status).code, grpc.status.UNAVAILABLE);
  assert.notEqual(await codeNow(), grpc.status.OK);
  const missing: AuthorizationOptions = { auth: ['token'], tokenFile: '/nowhere/tokens' };
  await assert.rejects(node.reload({ ...options, authorization: missing }), /is missing/);
  await node.reload(options);
  await until('tokens are taken again', async () => (await codeNow()) === grpc.status.OK);
});

async function makeNode(t: TestContext, tls: object = {}) {
  const cluster = await TestCluster.make(t);
  const file = cluster.path('tokens');
  const writeTokens = (...tokens: readonly (readonly [string, string, number?])[]): Promise<void> => {
    const lines = tokens.map(([name, token, expiresAtMs = Number.POSITIVE_INFINITY]) =>
      formatToken({ name, roles: new Set(['admin']), hash: hashOfToken(token), expiresAtMs }),
    );
    return writeFileAtomic(file, `# tokens\n${lines.join('\n')}\n`, 0o600);
  };
  await writeTokens();
  const base = await cluster.nodeOptions('node-1', 'strict', [['node-1', '127.0.0.1:5122']]);
  await cluster.issue('node-2');
  const options: FabricNodeOptions = {
    ...base,
    networking: { ...base.networking, tls: { ...base.networking?.tls, withdrawalGraceMs: 50, ...tls } },
    authorization: { auth: ['mtls', 'token'], tokenFile: file },
  };
  const seen: { caller: Caller; metadata: grpc.Metadata }[] = [];
  const services = [APPLICATION, CONTROL].map(name =>
    slowService(name, call => {
      seen.push({ caller: callerOf(call), metadata: call.metadata });
    }),
  );
  const start = async () => {
    const node = await FabricNode.start(options, { logger: silentLogger, services });
    t.after(() => node.close());
    const address = new URL(node.ready.fabric[0] ?? '').host;
    const pem = (name: string) => readFile(cluster.path('certs', name));
    const ca = await pem('ca.pem');
    const connect = (key: Buffer | null, cert: Buffer | null) => {
      const client = new grpc.Client(address, grpc.credentials.createSsl(ca, key, cert));
      t.after(() => client.close());
      return client;
    };
    return { node, client: connect(null, null), peer: connect(await pem('node-2.key'), await pem('node-2.pem')) };
  };
  const open = (client: grpc.Client, service: string, authorization?: string) => {
    const metadata = new grpc.Metadata();
    if (authorization !== undefined) metadata.set('authorization', authorization);
    const identity = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest(`/${service}/Wait`, identity, identity, metadata);
    let hasEnded = false;
    call.on('error', () => {});
    return {
      answered: new Promise<void>(resolve => call.once('data', () => resolve())),
      status: new Promise<grpc.StatusObject>(resolve => {
        call.once('status', status => {
          hasEnded = true;
          resolve(status);
        });
      }),
      ended: () => hasEnded,
      cancel: () => call.cancel(),
    };
  };
  return { start, open, seen, writeTokens, options };
}

/** Answers once, and then nothing until somebody ends the call. */
function slowService(name: string, onCall: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => void) {
  const identity = (bytes: Buffer) => bytes;
  const definition: grpc.ServiceDefinition = {
    Wait: {
      path: `/${name}/Wait`,
      requestStream: true,
      responseStream: true,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  };
  const implementation: grpc.UntypedServiceImplementation = {
    Wait: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      onCall(call);
      call.write(Buffer.from('here'));
    },
  };
  return { definition, implementation };
}
