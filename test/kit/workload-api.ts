import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { splitPem } from '../../src/identity/pem.ts';
import {
  WORKLOAD_METADATA,
  type WorkloadSvid,
  workloadApiDefinition,
  type X509SvidResponse,
} from '../../src/rpc/workload-api.ts';

/** An agent in this process: the X.509 part of the Workload API on a unix socket, as a test tells it to answer. */
export interface FakeWorkloadApi {
  readonly socketPath: string;
  /** Calls that were answered or refused. */
  readonly calls: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Tells every open stream, and each new one as its first message; bytes are sent as they are. */
  answer(response: X509SvidResponse | Buffer): void;
  /** Ends every open stream with this status, and each new one at once. */
  refuse(code: grpc.status, details?: string): void;
  /** Ends every open stream, as an agent may at any time; new ones are answered as before. */
  endStreams(): void;
  /** The socket is gone and connections are cut. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

type SvidCall = grpc.ServerWritableStream<object, X509SvidResponse | Buffer>;
type Behaviour = (call: SvidCall) => void;

/** Starts an agent that leaves calls without an answer until it is told one; stopped after the test. */
export async function startWorkloadApi(t: TestContext): Promise<FakeWorkloadApi> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-workload-'));
  const agent = new FakeAgent(join(directory, 'agent.sock'));
  t.after(async () => {
    await agent.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await agent.start();
  return agent;
}

class FakeAgent implements FakeWorkloadApi {
  readonly socketPath: string;
  readonly #open = new Set<SvidCall>();
  #server: grpc.Server | undefined;
  #behaviour: Behaviour = () => {};
  #calls = 0;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  get calls(): number {
    return this.#calls;
  }

  get streams(): number {
    return this.#open.size;
  }

  answer(response: X509SvidResponse | Buffer): void {
    this.#behave(call => call.write(response));
  }

  refuse(code: grpc.status, details = ''): void {
    this.#behave(call => call.emit('error', { code, details }));
  }

  endStreams(): void {
    for (const call of this.#open) call.end();
  }

  async start(): Promise<void> {
    const server = new grpc.Server();
    server.addService(definition, { FetchX509SVID: (call: SvidCall) => this.#take(call) });
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${this.socketPath}`, grpc.ServerCredentials.createInsecure(), error =>
        error === null ? resolve() : reject(error),
      ),
    );
    this.#server = server;
  }

  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#open.clear();
  }

  #behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
    for (const call of this.#open) behaviour(call);
  }

  #take(call: SvidCall): void {
    this.#calls += 1;
    const [key, value] = WORKLOAD_METADATA;
    if (call.metadata.get(key)[0] !== value) {
      const details = 'security header missing from request';
      call.emit('error', { code: grpc.status.INVALID_ARGUMENT, details });
      return;
    }
    this.#open.add(call);
    for (const event of ['cancelled', 'close', 'error', 'finish']) call.on(event, () => this.#open.delete(call));
    this.#behaviour(call);
  }
}

const { FetchX509SVID } = workloadApiDefinition;
const definition: grpc.ServiceDefinition = {
  FetchX509SVID: {
    ...(FetchX509SVID as grpc.MethodDefinition<object, object>),
    responseSerialize: (response: X509SvidResponse | Buffer) =>
      Buffer.isBuffer(response) ? response : (FetchX509SVID?.responseSerialize(response) ?? Buffer.alloc(0)),
  },
};

/** A trust domain with an authority of its own. */
export interface TrustDomain {
  readonly name: string;
  readonly authority: Authority;
  /** The root in DER. */
  readonly bundle: Buffer;
  /** A new SVID for `spiffe://{name}{path}`; `request` may contradict it. */
  svid(path: string, request?: CertificateRequest): Promise<WorkloadSvid>;
}

/** A new trust domain whose SVIDs come with an intermediate. */
export async function createTrustDomain(name: string): Promise<TrustDomain> {
  const authority = await createAuthority({ commonName: `CA of ${name}`, intermediate: true, trustDomain: name });
  const bundle = derOf(authority.anchorsPem);
  return {
    name,
    authority,
    bundle,
    svid: async (path, request = {}) => {
      const spiffeId = `spiffe://${name}${path}`;
      const { certPem, keyPem } = await authority.issue({ uris: [spiffeId], ...request });
      return { spiffeId, x509Svid: derOf(certPem), x509SvidKey: derOf(keyPem), bundle };
    },
  };
}

/** An answer with one SVID and nothing else. */
export function answerOf(svid: WorkloadSvid, more: Partial<X509SvidResponse> = {}): X509SvidResponse {
  return { svids: [svid], crl: [], federatedBundles: {}, ...more };
}

/** The blocks of a PEM text in DER, one after another. */
export function derOf(pem: string): Buffer {
  return Buffer.concat(splitPem(pem).map(({ der }) => der));
}
