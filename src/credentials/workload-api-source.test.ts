import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { until } from '../../test/kit/until.ts';
import {
  answerOf,
  createTrustDomain,
  derOf,
  type FakeWorkloadApi,
  startWorkloadApi,
  type TrustDomain,
} from '../../test/kit/workload-api.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { splitPem } from '../identity/pem.ts';
import { workloadApiDefinition, type X509SvidResponse } from '../rpc/workload-api.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { CredentialReading } from './credential-bytes.ts';
import type { CredentialSource } from './credential-source.ts';
import { type CredentialsStore, openCredentialsStore } from './credentials-store.ts';
import { judgePeerCertificate } from './judge-peer.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';
import { openWorkloadApiSource, type WorkloadApiSpec, type WorkloadApiTiming } from './workload-api-source.ts';

const RETRY = { initialMs: 5, maxMs: 20 };
/** A source that gives up at once when nothing is there, and one that a test never sees give up. */
const IMPATIENT: WorkloadApiTiming = { startTimeoutMs: 1, retry: RETRY };
const PATIENT: WorkloadApiTiming = { startTimeoutMs: 600_000, retry: RETRY };

const specOf = ({ socketPath }: { socketPath: string }, more: Partial<WorkloadApiSpec> = {}): WorkloadApiSpec => ({
  kind: 'spiffe',
  socketPath,
  caFiles: [],
  crlFiles: [],
  ...more,
});

interface OpenedSource extends CredentialSource {
  /** How often a change was told. */
  readonly changes: number;
}

async function open(
  t: TestContext,
  spec: WorkloadApiSpec,
  timing = PATIENT,
  options: { watch?: boolean } = {},
): Promise<OpenedSource> {
  let changes = 0;
  const onChange = () => void changes++;
  const source = await openWorkloadApiSource(spec, { watch: true, logger: silentLogger, onChange, ...options }, timing);
  t.after(() => source.close());
  return {
    read: () => source.read(),
    close: () => source.close(),
    get changes() {
      return changes;
    },
  };
}

async function openStore(t: TestContext, agent: FakeWorkloadApi): Promise<CredentialsStore> {
  const options = { refreshIntervalMs: 3_600_000, watch: true, logger: silentLogger };
  const store = await openCredentialsStore({ spec: specOf(agent), ...options });
  t.after(() => store.close());
  return store;
}

function problemOf(reading: CredentialReading): string {
  return reading.ok ? '' : reading.problems.map(({ file, problem }) => `${file}: ${problem}`).join('; ');
}

/** What a snapshot says of a client that presents an SVID. */
function judge(snapshot: TrustSnapshot, { x509Svid }: { x509Svid: Uint8Array }): string {
  const [leaf, ...chain] = pemsOf(x509Svid);
  assert.ok(leaf !== undefined);
  const verdict = judgePeerCertificate(
    { leafDer: leaf, chain, authorizationError: undefined },
    snapshot,
    'client',
    new Date(),
  );
  return verdict.ok ? 'ok' : verdict.reason;
}

function pemsOf(ders: Uint8Array): Uint8Array[] {
  const certificates: Uint8Array[] = [];
  for (let rest = Buffer.from(ders); rest.length > 0; ) {
    const length = 4 + rest.readUInt16BE(2);
    certificates.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return certificates;
}

test('the first SVID comes with its chain, its key and the bundle of its trust domain', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  const [svid, second] = [await domain.svid('/fabric/node-1'), await domain.svid('/second')];
  agent.answer({ svids: [svid, second], crl: [], federatedBundles: {} });
  const source = await open(t, specOf(agent));
  const reading = await source.read();
  assert.ok(reading.ok, problemOf(reading));
  const { cert, key, ca, crl } = reading.bytes;
  assert.deepEqual(Buffer.concat(splitPem(Buffer.from(cert.bytes).toString()).map(({ der }) => der)), svid.x509Svid);
  assert.deepEqual(derOf(Buffer.from(key.bytes).toString()), svid.x509SvidKey);
  assert.deepEqual(
    ca.map(({ trustDomain, bytes }) => [trustDomain, derOf(Buffer.from(bytes).toString())]),
    [['dev', domain.bundle]],
  );
  assert.deepEqual(crl, []);
  assert.equal(cert.file, `spiffe:unix:${agent.socketPath}`);
});

test('what a store logs and shows of a source holds no key', async t => {
  const agent = await startWorkloadApi(t);
  const svid = await (await createTrustDomain('dev')).svid('/fabric/node-1');
  agent.answer(answerOf(svid));
  const reading = await (await open(t, specOf(agent))).read();
  assert.ok(reading.ok);
  const pem = Buffer.from(reading.bytes.key.bytes).toString().split('\n')[1] ?? '';
  assert.ok(pem.length > 40);
  assert.ok(!JSON.stringify(reading).includes(pem));
});

test('a rotation that the agent pushes becomes the next generation of a store', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const store = await openStore(t, agent);
  const before = store.snapshot.value;
  assert.equal(before.own.identity.spiffeId, 'spiffe://dev/fabric/node-1');
  assert.equal(before.own.intermediates.length, 1);
  assert.deepEqual(before.warnings, []);
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  await until('the rotated set is taken', () => store.snapshot.value.generation === 2);
  assert.notEqual(store.snapshot.value.own.identity.fingerprint256, before.own.identity.fingerprint256);
  assert.equal(agent.calls, 1);
});

test('a federated bundle vouches for peers of its own trust domain and for nobody else', async t => {
  const agent = await startWorkloadApi(t);
  const [dev, partner] = [await createTrustDomain('dev'), await createTrustDomain('partner')];
  agent.answer(
    answerOf(await dev.svid('/fabric/node-1'), { federatedBundles: { 'spiffe://partner': partner.bundle } }),
  );
  const store = await openStore(t, agent);
  const { value } = store.snapshot;
  assert.equal(judge(value, await dev.svid('/fabric/node-2')), 'ok');
  assert.equal(judge(value, await partner.svid('/worker')), 'ok');
  const impostor = { uris: ['spiffe://dev/fabric/node-2'] };
  assert.equal(judge(value, await partner.svid('/x', impostor)), 'unknown_ca');
  assert.equal(judge(value, await dev.svid('/x', { uris: ['spiffe://partner/worker'] })), 'unknown_ca');
  assert.equal(judge(value, await partner.svid('/x', { uris: [], dnsNames: ['node-2'] })), 'unknown_ca');

  agent.answer(answerOf(await dev.svid('/fabric/node-1')));
  await until('the bundle is withdrawn', () => store.snapshot.value.generation === 2);
  assert.equal(judge(store.snapshot.value, await partner.svid('/worker')), 'unknown_ca');
});

test('a revocation list of the agent counts', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  const peer = await domain.authority.issue({ uris: ['spiffe://dev/fabric/node-2'] });
  const crl = derOf(await domain.authority.createCrl([{ serialNumber: peer.serialNumber }]));
  agent.answer(answerOf(await domain.svid('/fabric/node-1'), { crl: [crl] }));
  const { value } = (await openStore(t, agent)).snapshot;
  assert.equal(judge(value, { x509Svid: derOf(peer.certPem) }), 'certificate_revoked');
  assert.equal(judge(value, await domain.svid('/fabric/node-3')), 'ok');
});

test('anchors and lists of files count beside those of the agent, and changes of them are told', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const { files, write } = await makeCredentialDirectory(t, { revoked: [] });
  const source = await open(t, specOf(agent, { caFiles: files.caFiles, crlFiles: files.crlFiles }));
  const reading = await source.read();
  assert.ok(reading.ok, problemOf(reading));
  assert.deepEqual(
    reading.bytes.ca.map(({ trustDomain }) => trustDomain),
    ['dev', undefined],
  );
  assert.equal(reading.bytes.crl.length, 1);
  await write('ca.pem', (await createAuthority()).anchorsPem);
  await until('the change is told', () => source.changes === 1);
  await writeFile(files.caFiles[0] ?? '', '');
  assert.match(problemOf(await source.read()), /ca\.pem: is empty/);
});

test('the last answer stays while the agent is away, with a warning, and the agent is found again', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const source = await open(t, specOf(agent));
  const before = await source.read();
  await agent.stop();
  await until('the loss is told', () => source.changes > 0);
  const during = await source.read();
  assert.ok(before.ok && during.ok);
  assert.deepEqual(during.bytes.cert.bytes, before.bytes.cert.bytes);
  assert.match(during.warnings?.join() ?? '', /agent\.sock: the agent .*; its last answer stays in use/);
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const changes = source.changes;
  await agent.start();
  await until('the new answer is told', async () => {
    const reading = await source.read();
    return source.changes > changes && reading.ok && reading.warnings?.length === 0;
  });
  const after = await source.read();
  assert.ok(after.ok);
  assert.notDeepEqual(after.bytes.cert.bytes, before.bytes.cert.bytes);
  assert.deepEqual(after.warnings, []);
});

test('a stream that the agent ends is opened again, and equal answers make no new generation', async t => {
  const agent = await startWorkloadApi(t);
  agent.answer(answerOf(await (await createTrustDomain('dev')).svid('/fabric/node-1')));
  const store = await openStore(t, agent);
  agent.endStreams();
  await until('the stream is open again', () => agent.calls === 2 && agent.streams === 1);
  await store.reload('poll');
  assert.equal(store.snapshot.value.generation, 1);
  assert.deepEqual(store.state.value.problems, []);
});

test('who starts before its identity is registered waits for it', async t => {
  const agent = await startWorkloadApi(t);
  agent.refuse(grpc.status.PERMISSION_DENIED, 'no identity issued');
  const source = await open(t, specOf(agent));
  const reading = source.read();
  await until('it has tried several times', () => agent.calls > 2);
  agent.answer(answerOf(await (await createTrustDomain('dev')).svid('/fabric/node-1')));
  assert.ok((await reading).ok);
  assert.equal(source.changes, 0);
});

const nothing: { readonly [what: string]: [(agent: FakeWorkloadApi) => unknown, RegExp] } = {
  'an agent that knows no identity for us': [
    agent => agent.refuse(grpc.status.PERMISSION_DENIED, 'no identity issued'),
    /agent\.sock: the agent has no identity registered for this process \(PERMISSION_DENIED: no identity issued\)/,
  ],
  'an agent that answers nothing': [() => {}, /the agent has not answered in time/],
  'no agent': [agent => agent.stop(), /the agent is away \(UNAVAILABLE.*ENOENT/],
};

for (const [what, [arrange, expected]] of Object.entries(nothing))
  test(`the start does not wait for ever: ${what}`, async t => {
    const agent = await startWorkloadApi(t);
    await arrange(agent);
    const source = await open(t, specOf(agent), { ...IMPATIENT, startTimeoutMs: 200 });
    await until('the problem is the one', async () => expected.test(problemOf(await source.read())));
    const reading = await source.read();
    assert.ok(!reading.ok && reading.problems[0]?.mayPass);
  });

test('an agent that does not take the request is not waited for', async t => {
  const agent = await startWorkloadApi(t);
  agent.refuse(grpc.status.INVALID_ARGUMENT, 'security header missing from request');
  const source = await open(t, specOf(agent));
  const reading = await source.read();
  assert.ok(!reading.ok && !reading.problems[0]?.mayPass);
  assert.match(problemOf(reading), /does not take the request \(INVALID_ARGUMENT: security header missing/);
});

test('an identity that the agent takes back is a problem; the store keeps the last good set', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  const store = await openStore(t, agent);
  agent.refuse(grpc.status.PERMISSION_DENIED, 'no identity issued');
  await until('the refusal is seen', () => store.state.value.lastResult === 'failed');
  assert.match(store.state.value.problems[0]?.problem ?? '', /no identity registered/);
  assert.equal(store.snapshot.value.generation, 1);
  agent.answer(answerOf(await domain.svid('/fabric/node-1')));
  await until('the identity is back', () => store.snapshot.value.generation === 2);
  assert.deepEqual(store.state.value.problems, []);
});

const bad: { readonly [what: string]: [(dev: TrustDomain) => Promise<X509SvidResponse | Buffer>, RegExp] } = {
  'no SVID': [async () => ({ svids: [], crl: [], federatedBundles: {} }), /holds no SVID/],
  'bytes that are no message': [async () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), /cannot be taken/],
  'an SVID that is no certificate': [
    async dev => answerOf({ ...(await dev.svid('/a')), x509Svid: Buffer.from('garbage') }),
    /the SVID is not a row of certificates/,
  ],
  'an SVID that is cut off': [
    async dev => {
      const svid = await dev.svid('/a');
      return answerOf({ ...svid, x509Svid: svid.x509Svid.subarray(0, -1) });
    },
    /ends too early/,
  ],
  'another name than the certificate has': [
    async dev => answerOf({ ...(await dev.svid('/a')), spiffeId: 'spiffe://dev/b' }),
    /is said to be spiffe:\/\/dev\/b, and its certificate names spiffe:\/\/dev\/a/,
  ],
  'a certificate without a SPIFFE ID': [
    async dev => answerOf(await dev.svid('/a', { uris: [], commonName: 'a' })),
    /names no SPIFFE ID/,
  ],
  'a name that is no SPIFFE ID': [
    async dev => answerOf({ ...(await dev.svid('/a')), spiffeId: 'spiffe://DEV/a' }),
    /is not a SPIFFE ID/,
  ],
  'no key': [async dev => answerOf({ ...(await dev.svid('/a')), x509SvidKey: Buffer.alloc(0) }), /has no key/],
  'no bundle': [
    async dev => answerOf({ ...(await dev.svid('/a')), bundle: Buffer.alloc(0) }),
    /own trust domain dev is empty/,
  ],
};

for (const [what, [make, expected]] of Object.entries(bad))
  test(`an answer that cannot be used is a problem, and the next good one ends it: ${what}`, async t => {
    const agent = await startWorkloadApi(t);
    const domain = await createTrustDomain('dev');
    agent.answer(answerOf(await domain.svid('/a')));
    const source = await open(t, specOf(agent));
    assert.ok((await source.read()).ok);
    agent.answer(await make(domain));
    await until('the problem is told', () => source.changes === 1);
    assert.match(problemOf(await source.read()), expected);
    agent.answer(answerOf(await domain.svid('/a')));
    await until('the source is well again', async () => (await source.read()).ok);
  });

test('a key of another certificate is refused by the store, which keeps the last good set', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/a')));
  const store = await openStore(t, agent);
  const { x509SvidKey } = await domain.svid('/a');
  agent.answer(answerOf({ ...(await domain.svid('/a')), x509SvidKey }));
  await until('the answer is refused', () => store.state.value.lastResult === 'failed');
  assert.equal(store.snapshot.value.generation, 1);
});

type MakeBundle = (partner: TrustDomain) => Buffer | Promise<Buffer>;
const unusableBundles: Readonly<Record<string, readonly [string, MakeBundle, RegExp]>> = {
  'no certificate': ['spiffe://partner', () => Buffer.alloc(0), /federated trust domain partner is empty/],
  garbage: ['partner', () => Buffer.from('garbage'), /bundle of partner is not a row of certificates/],
  'DER that is no certificate': ['partner', () => Buffer.from('3003020101', 'hex'), /partner: The certificate cannot/],
  'one certificate of many that cannot be read': [
    'partner',
    ({ bundle }) => Buffer.concat([bundle, Buffer.from('3003020101', 'hex')]),
    /partner: The certificate cannot be read/,
  ],
  'more certificates than anybody needs': [
    'partner',
    ({ bundle }) => Buffer.concat(Array.from({ length: 257 }, () => bundle)),
    /bundle of partner holds more than 256 certificates/,
  ],
  'our own trust domain': ['dev', ({ bundle }) => bundle, /claims our own trust domain dev/],
  'a name that is no trust domain': ['spiffe://partner/x', ({ bundle }) => bundle, /is not a trust domain/],
};

for (const [what, [key, make, expected]] of Object.entries(unusableBundles))
  test(`a federated bundle that cannot be used is left out with a warning: ${what}`, async t => {
    const agent = await startWorkloadApi(t);
    const [dev, partner, good] = await Promise.all(['dev', 'partner', 'good'].map(createTrustDomain));
    assert.ok(dev && partner && good);
    const federatedBundles = { [key]: await make(partner), good: good.bundle };
    agent.answer(answerOf(await dev.svid('/a'), { federatedBundles }));
    const store = await openStore(t, agent);
    assert.match(store.state.value.warnings.join('; '), expected);
    assert.match(store.state.value.warnings.join('; '), /left out/);
    assert.deepEqual(
      store.snapshot.value.anchors.map(({ trustDomain }) => trustDomain),
      ['dev', 'good'],
    );
  });

test('an answer larger than what gRPC takes by default is taken', async t => {
  const agent = await startWorkloadApi(t);
  const svid = await (await createTrustDomain('dev')).svid('/a');
  const bundle = Buffer.concat(Array.from({ length: 12_000 }, () => svid.bundle));
  assert.ok(bundle.length > 4 * 1024 * 1024);
  agent.answer(answerOf({ ...svid, bundle }));
  assert.ok((await (await open(t, specOf(agent))).read()).ok);
});

test('nothing is told to who does not watch, and readings see what is new all the same', async t => {
  const agent = await startWorkloadApi(t);
  const domain = await createTrustDomain('dev');
  agent.answer(answerOf(await domain.svid('/a')));
  const source = await open(t, specOf(agent), PATIENT, { watch: false });
  const before = await source.read();
  agent.answer(answerOf(await domain.svid('/a')));
  await until('the new set is read', async () => {
    const now = await source.read();
    return now.ok && before.ok && !Buffer.from(now.bytes.cert.bytes).equals(before.bytes.cert.bytes);
  });
  assert.equal(source.changes, 0);
});

test('closing ends the call and a reading that waits', async t => {
  const agent = await startWorkloadApi(t);
  const source = await open(t, specOf(agent));
  const reading = source.read();
  await until('the stream is open', () => agent.streams === 1);
  await source.close();
  assert.ok(!(await reading).ok);
  await until('the stream is gone', () => agent.streams === 0);
  assert.equal(agent.calls, 1);
});

test('the agent of the tests refuses a call without the security header, as agents must', async t => {
  const agent = await startWorkloadApi(t);
  agent.answer(answerOf(await (await createTrustDomain('dev')).svid('/a')));
  const client = new grpc.Client(`unix:${agent.socketPath}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const { path, requestSerialize, responseDeserialize } = workloadApiDefinition.FetchX509SVID ?? assert.fail();
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
  call.on('error', () => {});
  const [{ code }] = await new Promise<[grpc.StatusObject]>(resolve => call.on('status', status => resolve([status])));
  assert.equal(code, grpc.status.INVALID_ARGUMENT);
});
