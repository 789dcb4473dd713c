import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { makeSnapshot } from '../../test/kit/fabric-pair.ts';
import { introductionOf } from '../../test/kit/raw-peer.ts';

import { nodeSettings } from '../../test/kit/tls-settings.ts';
import { until } from '../../test/kit/until.ts';
import type { OutboundPolicy, TrustProfile } from '../connector/trust-profile.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { CertificateRequest } from '../dev-pki/issue.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { parseAddress, type TcpAddress } from '../identity/address.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import { constant } from '../lifecycle/observable-value.ts';
import type { AddressHolder } from '../membership/address-holder.ts';
import { fabricDefinition, type WireIntroduction } from '../messaging/frame.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { identifyWith } from './identify-address.ts';

const NODE_2: CertificateRequest = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'] };
const NEVER = new AbortController().signal;

test('who proves the name that it says is that node', async t => {
  const scene = await Scene.make(t);
  const address = await scene.serve({
    nodeName: 'node-2',
    generation: 7,
    labels: { role: 'worker' },
    zone: 'eu-1a',
  });
  assert.deepEqual(await scene.identify(address), {
    name: 'node-2',
    generation: 7,
    isProven: true,
    labels: { role: 'worker' },
    zone: 'eu-1a',
  });
  assert.deepEqual(scene.asked, ['node-1'], 'it is told who asks');
  assert.deepEqual(scene.refused, []);
});

test('nothing is believed of who proves another name, or is denied, revoked, or of another CA', async t => {
  const scene = await Scene.make(t);
  const refusals: [RefusalReason, Promise<TcpAddress>][] = [
    ['server_identity_mismatch', scene.serve({ nodeName: 'node-3' })],
    ['unknown_ca', scene.serve({ nodeName: 'node-2' }, { authority: await createAuthority() })],
    ['certificate_expired', scene.serve({ nodeName: 'node-2' }, { request: { ...NODE_2, ...PAST } })],
    ['wrong_key_usage', scene.serve({ nodeName: 'node-2' }, { request: { ...NODE_2, usage: 'client' } })],
    ['cluster_mismatch', scene.serve({ nodeName: 'node-2', clusterName: 'other' })],
    ['handshake_failed', scene.serve({ nodeName: 'node-2', generation: 0 })],
  ];
  for (const [reason, address] of refusals) {
    await assert.rejects(scene.identify(await address), refusedFor(reason), reason);
    assert.equal(scene.refused.pop()?.reason, reason);
  }
  const denied = [parseDeniedCertificate('uri:spiffe://dev/fabric/node-2')];
  const address = await scene.serve({ nodeName: 'node-2' });
  await assert.rejects(scene.identify(address, { denied }), { code: 'refused' });
});

test('where nothing would prove a name nobody is asked', async t => {
  const scene = await Scene.make(t);
  const address = await scene.serve({ nodeName: 'node-2' });
  const unnamed = { ...scene.profile, nodeIdentity: undefined };
  for (const profiles of [[], [unnamed]])
    await assert.rejects(scene.identify(address, { profiles }), refusedFor('no_usable_address'));
  assert.deepEqual(scene.asked, []);
});

test('in plain whoever answers is who it says, and proves nothing', async t => {
  const scene = await Scene.make(t);
  const address = await scene.serve({ nodeName: 'node-2', mode: 'plain' }, 'plaintext');
  assert.equal((await scene.identify(address, { mode: 'plain' })).isProven, false);
  assert.equal((await scene.identify(address, { mode: 'optional' })).isProven, false);
  await assert.rejects(scene.identify(address), 'strict asks nobody in plaintext');
  const proven = { name: 'node-2', generation: 1, isProven: true, labels: {} };
  scene.asked.length = 0;
  await assert.rejects(scene.identify(address, { mode: 'optional' }, 60_000, NEVER, proven));
  assert.deepEqual(scene.asked, [], 'who spoke TLS when it was asked last is not asked in plaintext');
  const other = await scene.serve({ nodeName: 'node-2', mode: 'optional' }, 'plaintext');
  await assert.rejects(scene.identify(other, { mode: 'optional' }), 'who says that it speaks TLS must');
});

test('who is silent, says too much, or is no longer of interest costs no more than the time', async t => {
  const scene = await Scene.make(t);
  const sockets: net.Socket[] = [];
  const silent = net.createServer(socket => void sockets.push(socket.on('error', () => {}).resume()));
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const { port } = silent.address() as net.AddressInfo;
  await assert.rejects(scene.identify(tcp(port), {}, 100));

  const abort = new AbortController();
  const asked = scene.identify(tcp(port), {}, 60_000, abort.signal);
  await until('it was dialled', () => sockets.length === 2);
  abort.abort();
  await assert.rejects(asked);
  await until('no connection is left', () => sockets.every(({ destroyed }) => destroyed));

  const chatty = await scene.serve({ nodeName: 'node-2', version: 'x'.repeat(1_000_000) });
  await assert.rejects(scene.identify(chatty), /larger than max/);
});

const PAST = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };

class Scene {
  readonly asked: string[] = [];
  readonly refused: RefusedPeer[] = [];
  readonly profile: TrustProfile;
  readonly #t: TestContext;
  readonly #authority: Authority;

  static async make(t: TestContext): Promise<Scene> {
    const authority = await createAuthority();
    return new Scene(t, authority, {
      name: 'default',
      destinations: [],
      trust: constant(await makeSnapshot(t, { authority })),
      serverSubjectNames: [],
      nodeIdentity: name => parsePattern(`uri:spiffe://dev/fabric/${name}`),
    });
  }

  private constructor(t: TestContext, authority: Authority, profile: TrustProfile) {
    this.#t = t;
    this.#authority = authority;
    this.profile = profile;
  }

  identify(
    address: TcpAddress,
    changes: Partial<OutboundPolicy> = {},
    connectTimeoutMs = 60_000,
    signal = NEVER,
    known?: AddressHolder,
  ) {
    const { networking, ...settings } = nodeSettings();
    const policy: OutboundPolicy = {
      mode: 'strict',
      minVersion: 'TLSv1.3',
      profiles: [this.profile],
      withdrawalGraceMs: 1,
      denied: [],
      ...changes,
    };
    return identifyWith({
      outbound: () => policy,
      settings: constant({ ...settings, networking: { ...networking, connectTimeoutMs } }),
      metrics: createMetrics(),
      refused: peer => this.refused.push(peer),
    })(address, signal, known);
  }

  /** Somebody who says this of itself, by default with the certificate of node-2. */
  async serve(
    says: Partial<WireIntroduction>,
    shows: 'plaintext' | { authority?: Authority; request?: CertificateRequest } = {},
  ): Promise<TcpAddress> {
    const server = new grpc.Server();
    server.addService(fabricDefinition, {
      Introduce: (
        call: grpc.ServerUnaryCall<WireIntroduction, unknown>,
        reply: grpc.sendUnaryData<WireIntroduction>,
      ) => {
        this.asked.push(call.request.nodeName);
        reply(null, { ...introductionOf('nobody'), clusterName: 'dev', mode: 'strict', ...says });
      },
    });
    let credentials = grpc.ServerCredentials.createInsecure();
    if (shows !== 'plaintext') {
      const { authority = this.#authority, request = NODE_2 } = shows;
      const { path } = await makeCredentialDirectory(this.#t, { authority, request });
      const [key, cert] = await Promise.all([readFile(path('node.key')), readFile(path('node.pem'))]);
      const anchors = Buffer.from(this.#authority.anchorsPem);
      credentials = grpc.ServerCredentials.createSsl(anchors, [{ private_key: key, cert_chain: cert }], true);
    }
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    this.#t.after(() => server.forceShutdown());
    return tcp(port);
  }
}

function refusedFor(reason: RefusalReason) {
  return (error: unknown) => isSelvedgeError(error, 'refused') && error.facts.reason === reason;
}

function tcp(port: number): TcpAddress {
  const address = parseAddress(`127.0.0.1:${port}`);
  if (address.kind !== 'tcp') throw new TypeError('unreachable');
  return address;
}
