import * as grpc from '@grpc/grpc-js';
import { rolesOf } from '../../src/authorization/admission.ts';
import type { TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { parseAddress } from '../../src/identity/address.ts';
import { constant, type ObservableValue } from '../../src/lifecycle/observable-value.ts';
import { FabricListener } from '../../src/listener/fabric-listener.ts';
import { FabricServerCredentials } from '../../src/listener/fabric-server-credentials.ts';
import type { Admit } from '../../src/listener/listener-policy.ts';
import { listenerPolicyOf, roleListsOf } from '../../src/node/policies.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import type { CredentialPems } from './credentials.ts';
import { echoDefinition, echoImplementation } from './echo.ts';
import { nodeRules } from './node-rules.ts';
import { strictNodeSettings } from './node-settings.ts';

/**
 * `bare`: grpc-js alone, `bare_defaults` with all of its default options. `credentials`: our server credentials on a
 * grpc-js server. `fabric`: the fabric listener, with a policy and an audit trail.
 */
export type ServerKind = 'bare' | 'bare_defaults' | 'credentials' | 'fabric';

export interface EchoServerParts {
  /** What a bare server shows and trusts; the others follow `trust`. */
  readonly credentials: CredentialPems;
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Starts an echo server with mutual TLS on a free port of loopback; it ends with the process. Resolves with the port. */
export function startEchoServer(kind: ServerKind, parts: EchoServerParts): Promise<number> {
  const server = new grpc.Server(kind === 'bare_defaults' ? {} : { 'grpc.enable_channelz': 0 });
  server.addService(echoDefinition, echoImplementation);
  if (kind === 'fabric') return listen(server, parts);
  return bind(server, kind === 'credentials' ? ourCredentials(parts) : bareCredentials(parts.credentials));
}

function bind(server: grpc.Server, credentials: grpc.ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

function bareCredentials({ certPem, keyPem, anchorsPem }: CredentialPems): grpc.ServerCredentials {
  const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certPem) };
  return grpc.ServerCredentials.createSsl(Buffer.from(anchorsPem), [pair], true);
}

const settings = strictNodeSettings();
const policy = listenerPolicyOf(settings);

const admit: Admit = identity => {
  const roles = rolesOf(roleListsOf(settings), identity);
  if (roles.size > 0) return { admitted: true, roles };
  return { admitted: false, reason: 'subject_not_allowed', detail: 'no allowed subject name matches' };
};

function ourCredentials({ trust, logger, metrics }: EchoServerParts): grpc.ServerCredentials {
  const { minVersion, handshakeTimeoutMs, withdrawalGraceMs } = policy;
  const deadlines = { handshakeTimeoutMs, withdrawalGraceMs };
  return new FabricServerCredentials({ trust, minVersion, ...deadlines, admit, logger, metrics });
}

async function listen(server: grpc.Server, { trust, logger, metrics }: EchoServerParts): Promise<number> {
  const listener = new FabricListener({
    server,
    policy: constant(policy),
    trust,
    limits: settings.networking,
    admit: constant(admit),
    rules: nodeRules(logger, metrics),
    logger,
    metrics,
  });
  const bound = await listener.listen(parseAddress('127.0.0.1:0'));
  if (bound.kind !== 'tcp') throw new Error('not TCP');
  return bound.port;
}
