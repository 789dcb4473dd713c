import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { tlsSettings } from '../../test/kit/tls-settings.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import type { AdmissionAnswer } from '../messaging/admission-question.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Canary } from './canary.ts';
import type { CredentialTrial } from './credential-set.ts';

const ADMITTED: AdmissionAnswer = { judged: true, admitted: true };
const UNSAID: AdmissionAnswer = { judged: false };
const REFUSED: AdmissionAnswer = { judged: true, admitted: false, reason: 'unknown_ca', detail: 'of a stranger' };
const NODE_1: CertificateRequest = { commonName: 'node-1', dnsNames: ['node-1'] };
const day = 86_400_000;

test('peers that would admit the new certificate let it pass', async t => {
  const { tryOut, results, log } = await setUp(t, { 'node-2': ADMITTED, 'node-3': UNSAID, 'node-4': undefined });
  assert.deepEqual(await tryOut(), []);
  assert.deepEqual(await results(), { admitted: 1 });
  assert.deepEqual(
    log.map(line => [line.event, line.asked, line.admitting]),
    [['tls.canary_admitted', 3, ['node-2']]],
  );
});

test('one that would refuse it is a veto, with its name and reason, whatever the others say', async t => {
  const { tryOut, results, candidate } = await setUp(t, {
    'node-4': ADMITTED,
    'node-3': { ...REFUSED, reason: 'subject_not_allowed', detail: '' },
    'node-2': REFUSED,
  });
  assert.deepEqual(await tryOut(), [
    {
      file: candidate.own.place,
      problem: 'node-2 would refuse it: unknown_ca: of a stranger',
      gist: 'node-2 would refuse it: unknown_ca',
    },
    {
      file: candidate.own.place,
      problem: 'node-3 would refuse it: subject_not_allowed',
      gist: 'node-3 would refuse it: subject_not_allowed',
    },
  ]);
  assert.deepEqual(await results(), { refused: 1 });
});

test('peers are waited for no longer than a new certificate may take to be in use', async t => {
  const { tryOut, waits } = await setUp(t, { 'node-2': undefined });
  await tryOut();
  assert.deepEqual(waits, [1_000]);
});

test('where nobody answers or nobody is there it passes, and that is said', async t => {
  for (const [peers, level] of [
    [{ 'node-2': undefined, 'node-3': UNSAID }, 'warn'],
    [{}, 'info'],
  ] as const) {
    const { tryOut, results, log } = await setUp(t, peers);
    assert.deepEqual(await tryOut(), []);
    assert.deepEqual(await results(), { unanswered: 1 });
    assert.deepEqual(
      log.map(line => [line.level, line.event]),
      [[level, 'tls.canary_unanswered']],
    );
  }
});

test('a peer that would refuse the certificate in use as well is no veto', async t => {
  const { tryOut, results, log, peers, current } = await setUp(t, { 'node-2': REFUSED, 'node-3': REFUSED });
  peers['node-2'] = () => REFUSED;
  peers['node-3'] = fingerprint => (fingerprint === current.own.identity.fingerprint256 ? ADMITTED : REFUSED);
  assert.equal(
    (await tryOut()).map(({ problem }) => problem).join(),
    'node-3 would refuse it: unknown_ca: of a stranger',
  );
  peers['node-3'] = () => REFUSED;
  assert.deepEqual(await tryOut(), []);
  assert.deepEqual(await results(), { refused: 1, overruled: 1 });
  assert.equal(log.at(-1)?.event, 'tls.canary_overruled');
});

test('the veto lapses when less than a tenth of the life of the certificate in use is left', async t => {
  const from = (pastDays: number): CertificateRequest => ({
    ...NODE_1,
    notBefore: new Date(Date.now() - pastDays * day),
    notAfter: new Date(Date.now() + (10 - pastDays) * day),
  });
  const early = await setUp(t, { 'node-2': REFUSED }, { inUse: from(8.9) });
  assert.equal((await early.tryOut()).length, 1);
  const late = await setUp(t, { 'node-2': REFUSED }, { inUse: from(9.1) });
  assert.deepEqual(await late.tryOut(), []);
  assert.deepEqual(await late.results(), { overruled: 1 });
  assert.deepEqual(
    late.log.map(line => [line.level, line.event]),
    [['warn', 'tls.canary_overruled']],
  );
  assert.deepEqual(late.log[0]?.problems, ['node-2 would refuse it: unknown_ca: of a stranger']);
});

test('a peer that refused is asked again about the same certificate until it admits it', async t => {
  const names = Array.from({ length: 30 }, (_, index) => `node-${index + 2}`);
  const { tryOut, peers, asked } = await setUp(t, Object.fromEntries(names.map(name => [name, ADMITTED])));
  peers['node-9'] = (_, round) => (round === 'candidate' ? REFUSED : ADMITTED);
  // Until chance has found the one that says no.
  for (let turn = 0; (await tryOut()).length === 0; turn += 1) assert.ok(turn < 2_000);
  for (let turn = 0; turn < 20; turn += 1) {
    asked.length = 0;
    assert.equal((await tryOut()).length, 1);
    assert.ok(asked[0]?.includes('node-9'));
    assert.equal(asked[0]?.length, 3);
  }
  peers['node-9'] = () => ADMITTED;
  assert.deepEqual(await tryOut(), []);
});

test('nobody is asked where the certificate is the same, the canary is off, or only profiles use it', async t => {
  const { tryOut, results, current } = await setUp(t, { 'node-2': REFUSED });
  assert.deepEqual(await tryOut({ candidate: { ...current, contentHash: 'another CA file' } }), []);
  assert.deepEqual(await tryOut({ tls: tlsSettings({ canary: false }) }), []);
  assert.deepEqual(await tryOut({ usages: [] }), []);
  assert.deepEqual(await results(), {});
});

test('a certificate that this node itself would refuse is a veto before anybody is asked, unless that is nothing new', async t => {
  const stranger = await createAuthority();
  const { tryOut, asked, current } = await setUp(t, { 'node-2': ADMITTED }, { newCa: stranger });
  const [problem] = await tryOut({ server: current });
  assert.match(problem?.problem ?? '', /^this node would refuse itself as a server: unknown_ca/);
  assert.equal(asked.length, 0);
  const lone = await makeSnapshot(t);
  assert.deepEqual(await tryOut({ server: lone }), [], 'they did not trust each other before');
});

test('names that our own list would not admit any more are a problem without any canary', async t => {
  const { tryOut, asked } = await setUp(t, { 'node-2': ADMITTED }, { next: { commonName: 'web' } });
  const allowedSubjectNames = parsePatterns(['cn:node-1']);
  for (const canary of [true, false]) {
    const [problem] = await tryOut({ tls: tlsSettings({ canary, allowedSubjectNames }) });
    assert.match(problem?.problem ?? '', /allowed-subject-names does not match/);
  }
  assert.equal(asked.length, 0);
});

type Peer = (fingerprint: string, round: 'candidate' | 'current') => AdmissionAnswer | undefined;
interface Line {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

/** Peers that answer this to the candidate, and admit what is in use. */
async function setUp(
  t: TestContext,
  answers: Readonly<Record<string, AdmissionAnswer | undefined>>,
  options: { inUse?: CertificateRequest; next?: CertificateRequest; newCa?: Authority } = {},
) {
  const authority = await createAuthority();
  const current = await makeSnapshot(t, { authority, request: options.inUse ?? NODE_1 });
  const candidate = await makeSnapshot(t, {
    authority: options.newCa ?? authority,
    request: options.next ?? NODE_1,
  });
  const peers: Record<string, Peer> = Object.fromEntries(
    Object.entries(answers).map(([node, answer]) => [node, (_, round) => (round === 'current' ? ADMITTED : answer)]),
  );
  const log: Line[] = [];
  const asked: (readonly string[])[] = [];
  const metrics = createMetrics();
  const canary = new Canary({ nodeName: 'node-1', logger: collecting(log), metrics });
  const waits: number[] = [];
  canary.askPeers = async ({ leafDer }, { choose, timeoutMs }) => {
    waits.push(timeoutMs);
    const fingerprint = createHash('sha256').update(leafDer).digest('hex');
    const round = fingerprint === current.own.identity.fingerprint256 ? 'current' : 'candidate';
    const chosen = choose(Object.keys(peers));
    asked.push(chosen);
    return chosen.map(node => ({ node, answer: peers[node]?.(fingerprint, round) }));
  };
  const tryOut = (changes: Partial<CredentialTrial> = {}) => {
    const trial = { candidate, current, usages: ['server', 'client'], tls: tlsSettings() } as const;
    const both: { server: TrustSnapshot; client: TrustSnapshot } = { server: candidate, client: candidate };
    return canary.tryOut({ ...trial, ...both, ...changes });
  };
  const results = async () => {
    const { values } = await metrics.tlsCanary.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.result, value]));
  };
  return { tryOut, results, log, peers, asked, waits, current, candidate };
}

function collecting(lines: Line[]): Logger {
  const at = (level: string) => (event: string, fields?: object) => void lines.push({ ...fields, event, level });
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
    setLevel: () => {},
  };
  return logger;
}
