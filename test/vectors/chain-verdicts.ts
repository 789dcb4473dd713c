import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import tls from 'node:tls';
import { judgePeerCertificate, type PeerVerdict, readPeerChain } from '../../src/credentials/judge-peer.ts';
import { buildTrustSnapshot, type TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import type { IssuedCertificate } from '../../src/dev-pki/issue.ts';
import { messageOf } from '../../src/errors/selvedge-error.ts';
import { certificateCoversHost } from '../../src/identity/host-name.ts';
import {
  type ChainCase,
  credentialsFor,
  findVectors,
  type Outcome,
  peerContextOf,
  readChainCases,
} from './chain-vectors.ts';

/** Runs every case of a vector file through a real handshake and holds our verdicts against the suite's. */
export async function checkChainVectors(t: TestContext, fileName: string, peerIs: 'client' | 'server'): Promise<void> {
  const file = findVectors(fileName);
  if (file === undefined) return t.skip(`the shared vectors are absent: ${fileName}`);
  const { cases, skipped } = readChainCases(file);
  const outcomes = await runCases(cases, peerIs);

  const isRight = (chainCase: ChainCase): boolean => outcomes.get(chainCase)?.startsWith(chainCase.expect) === true;
  const must = cases.filter(({ tier }) => tier === 'must');
  const gaps = cases.filter(({ tier }) => tier === 'gap-node-accepts');
  t.diagnostic(`${must.length} cases that must agree; ${skipped} skipped (other tiers, or they need another clock)`);
  t.diagnostic(`${gaps.filter(isRight).length} of ${gaps.length} gaps of plain Node are closed`);
  if (process.env.SELVEDGE_VECTORS_VERBOSE !== undefined)
    for (const gap of gaps) t.diagnostic(`${gap.id}: ${outcomes.get(gap)}`);

  assert.ok(must.length > 0);
  assert.deepEqual(
    must.filter(chainCase => !isRight(chainCase)).map(chainCase => `${chainCase.id}: ${outcomes.get(chainCase)}`),
    [],
  );
}

const PARALLEL = 8;

async function runCases(cases: readonly ChainCase[], peerIs: 'client' | 'server'): Promise<Map<ChainCase, Outcome>> {
  const authority = await createAuthority();
  const own = await authority.issue({ commonName: 'us' });
  const outcomes = new Map<ChainCase, Outcome>();
  const rest = [...cases];
  const work = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift())
      outcomes.set(next, await runCase(next, own, peerIs));
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return outcomes;
}

async function runCase(chainCase: ChainCase, own: IssuedCertificate, peerIs: 'client' | 'server'): Promise<Outcome> {
  let snapshot: TrustSnapshot;
  try {
    snapshot = buildTrustSnapshot(credentialsFor(own, chainCase), { generation: 1, now: new Date() });
  } catch (error) {
    return `reject: at load, ${messageOf(error)}`;
  }
  const verdict = peerIs === 'client' ? await judgeClient(chainCase, snapshot) : await judgeServer(chainCase, snapshot);
  if (typeof verdict === 'string') return `reject: in the handshake, ${verdict}`;
  if (!verdict.ok) return `reject: ${verdict.reason}, ${verdict.detail}`;
  // Names are a question of their own, asked of servers; the cases without a name ask about the chain alone.
  const host = peerIs === 'server' ? chainCase.peer_name?.value : undefined;
  if (host === undefined || certificateCoversHost(verdict.identity, host)) return 'accept';
  return `reject: not for ${host}`;
}

/** Our server's verdict on the case as a client, or the error of a handshake that did not come to an end. */
async function judgeClient(chainCase: ChainCase, snapshot: TrustSnapshot): Promise<PeerVerdict | string> {
  const context = peerContextOf(chainCase);
  const server = tls.createServer({
    ...snapshot.contextOptions('TLSv1.2'),
    requestCert: true,
    rejectUnauthorized: false,
  });
  const verdict = new Promise<PeerVerdict | string>(resolve => {
    server.on('secureConnection', socket => {
      socket.on('error', () => {});
      resolve(judgePeerCertificate(readPeerChain(socket), snapshot, 'client', new Date()));
    });
    server.on('tlsClientError', error => resolve(error.message));
  });
  const port = await listen(server);
  const peer = tls.connect({ port, host: '127.0.0.1', ...context, rejectUnauthorized: false });
  peer.on('error', () => {});
  return closeAfter(verdict, peer, server);
}

/** Our client's verdict on the case as a server, or the error of a handshake that did not come to an end. */
async function judgeServer(chainCase: ChainCase, snapshot: TrustSnapshot): Promise<PeerVerdict | string> {
  const server = tls.createServer(peerContextOf(chainCase));
  server.on('tlsClientError', () => {});
  server.on('secureConnection', socket => socket.on('error', () => {}));
  const port = await listen(server);
  const client = tls.connect({
    port,
    host: '127.0.0.1',
    secureContext: snapshot.secureContext('TLSv1.2'),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const verdict = new Promise<PeerVerdict | string>(resolve => {
    client.on('secureConnect', () =>
      resolve(judgePeerCertificate(readPeerChain(client), snapshot, 'server', new Date())),
    );
    client.on('error', error => resolve(error.message));
  });
  return closeAfter(verdict, client, server);
}

async function listen(server: tls.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

async function closeAfter<T>(result: Promise<T>, client: tls.TLSSocket, server: tls.Server): Promise<T> {
  try {
    return await result;
  } finally {
    client.destroy();
    server.close();
  }
}
