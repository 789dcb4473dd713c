import * as grpc from '@grpc/grpc-js';
import { Connector } from '../../src/connector/connector.ts';
import { FABRIC_CHANNEL_OPTIONS, FabricChannelCredentials } from '../../src/connector/fabric-channel-credentials.ts';
import type { OutboundPolicy, TrustProfile } from '../../src/connector/trust-profile.ts';
import type { TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { parseAddress } from '../../src/identity/address.ts';
import { constant, type ObservableValue } from '../../src/lifecycle/observable-value.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { CredentialPems } from './credentials.ts';
import { strictNodeSettings } from './node-settings.ts';

/**
 * A connector as a strict node has it, for which every member name leads to one port of loopback.
 * @param nodeIdentity what the member of a name must prove. Default: that it is the host.
 */
export function openConnector(
  port: number,
  trust: ObservableValue<TrustSnapshot>,
  nodeIdentity?: TrustProfile['nodeIdentity'],
): Connector {
  const settings = strictNodeSettings();
  const addresses = [parseAddress(`https://127.0.0.1:${port}`)];
  const policy: OutboundPolicy = {
    mode: 'strict',
    minVersion: settings.tls?.minVersion ?? 'TLSv1.3',
    profiles: [{ name: 'default', destinations: [], trust, serverSubjectNames: [], nodeIdentity }],
    withdrawalGraceMs: 5_000,
    denied: [],
  };
  return new Connector({
    directory: { members: constant(undefined), member: () => ({ addresses }), learnTls: () => {} },
    policy: constant(policy),
    options: settings.networking,
    logger: silentLogger,
    metrics: createMetrics(),
  });
}

/** A client over the stable channel to one member; the connector closes it. */
export function memberClient(connector: Connector, nodeName: string): grpc.Client {
  const options: Record<string, unknown> = { channelOverride: connector.channel(nodeName) };
  return new grpc.Client('unused', grpc.credentials.createInsecure(), options);
}

/** A grpc-js client with our channel credentials and a connection of its own. */
export function credentialsClient(port: number, trust: ObservableValue<TrustSnapshot>): grpc.Client {
  const credentials = new FabricChannelCredentials({
    security: { kind: 'mutual_tls', trust, minVersion: 'TLSv1.3', expectation: { kind: 'host' } },
    timeoutMs: 10_000,
  });
  return new grpc.Client(`127.0.0.1:${port}`, credentials, FABRIC_CHANNEL_OPTIONS);
}

/** A grpc-js client with mutual TLS as grpc-js has it and a connection of its own; by default with the channel options of the fabric. */
export function bareClient(
  port: number,
  { certPem, keyPem, anchorsPem }: CredentialPems,
  options: grpc.ChannelOptions = FABRIC_CHANNEL_OPTIONS,
): grpc.Client {
  const [ca, key, cert] = [anchorsPem, keyPem, certPem].map(pem => Buffer.from(pem));
  return new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createSsl(ca, key, cert), {
    ...options,
    'grpc.ssl_target_name_override': 'localhost',
  });
}
