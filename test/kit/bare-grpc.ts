import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Authority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { type FabricCredentials, openFabricCredentials } from '../../src/node/fabric-credentials.ts';
import type { FabricCredentialsOptions } from '../../src/node/fabric-credentials-options.ts';
import { callerOf } from '../../src/rpc/caller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import {
  type CredentialDirectory,
  type CredentialDirectoryOptions,
  makeCredentialDirectory,
} from './credential-directory.ts';
import { echoDefinition, echoImplementation } from './echo-service.ts';
import type { LogLine } from './fabric-pair.ts';

/** Names under which a test server on loopback is dialled. */
export const LOOPBACK_NAMES: CertificateRequest = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };

export interface OpenedCredentials extends FabricCredentials {
  readonly directory: CredentialDirectory;
  readonly log: LogLine[];
  readonly metrics: Metrics;
  refused(reason: string): LogLine | undefined;
}

/** `openFabricCredentials` on a directory of its own; closed after the test. */
export async function openCredentials(
  t: TestContext,
  { authority, request, revoked, ...options }: CredentialDirectoryOptions & Partial<FabricCredentialsOptions> = {},
): Promise<OpenedCredentials> {
  const directory = await makeCredentialDirectory(t, {
    request: { ...LOOPBACK_NAMES, ...request },
    ...(authority === undefined ? {} : { authority }),
    ...(revoked === undefined ? {} : { revoked }),
  });
  const log: LogLine[] = [];
  const metrics = createMetrics();
  const credentials = await openFabricCredentials({
    ...directory.files,
    allowedSubjectNames: ['*'],
    logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    metrics,
    ...options,
  });
  t.after(() => credentials.close());
  const refused = (reason: string) => log.find(line => line.event === 'connection.refused' && line.reason === reason);
  // Not a spread: `info` is a getter.
  return Object.defineProperties({ directory, log, metrics, refused } as OpenedCredentials, {
    ...Object.getOwnPropertyDescriptors(credentials),
  });
}

export interface BareServer {
  readonly port: number;
  /** Calls that reached a handler. */
  calls: number;
}

/** What a handler of a {@link BareServer} knows of its caller. */
export interface Seen {
  readonly connectionId: number;
  readonly uris: readonly string[];
  readonly roles: readonly string[];
  readonly security: string;
}

/** A grpc-js server as anyone would make it, with the echo service on a free loopback port; stopped after the test. */
export async function startBareServer(t: TestContext, credentials: grpc.ServerCredentials): Promise<BareServer> {
  const server = new grpc.Server();
  const bare = { port: 0, calls: 0 };
  server.addService(echoDefinition, {
    ...echoImplementation,
    Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      bare.calls += 1;
      reply(null, call.request);
    },
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      bare.calls += 1;
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
    WhoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      bare.calls += 1;
      const { connectionId, identity, roles, security } = callerOf(call);
      const seen: Seen = { connectionId, uris: identity?.uris ?? [], roles: [...roles], security: security.kind };
      reply(null, Buffer.from(JSON.stringify(seen)));
    },
  });
  t.after(() => server.forceShutdown());
  bare.port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
  return bare;
}

/** Who the handler of a {@link BareServer} takes `client` for. */
export function seenBy(client: grpc.Client): Promise<Seen> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.WhoAmI;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 20_000 };
    const request = Buffer.alloc(0);
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error, reply) => {
      if (error !== null) reject(error);
      else resolve(JSON.parse((reply ?? Buffer.alloc(0)).toString()));
    });
  });
}

/** A grpc-js client with a connection of its own; closed after the test. */
export function bareClient(
  t: TestContext,
  port: number,
  credentials: grpc.ChannelCredentials,
  options: grpc.ClientOptions = {},
): grpc.Client {
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    ...options,
  });
  t.after(() => client.close());
  return client;
}

/** A client with grpc-js's own credentials and a new certificate of `authority`; without one where `request` is undefined. */
export async function createSslClient(
  t: TestContext,
  port: number,
  anchorsPem: string,
  authority: Authority,
  request: CertificateRequest | undefined,
): Promise<grpc.Client> {
  const issued = request === undefined ? undefined : await authority.issue(request);
  const credentials = grpc.credentials.createSsl(
    Buffer.from(anchorsPem),
    issued === undefined ? null : Buffer.from(issued.keyPem),
    issued === undefined ? null : Buffer.from(issued.certPem),
  );
  // A name, since for an address Node would warn that it is not allowed in the server name extension.
  return bareClient(t, port, credentials, { 'grpc.ssl_target_name_override': 'localhost' });
}
