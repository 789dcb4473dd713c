import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { rolesOf } from '../../src/authorization/admission.ts';
import { type Authorizer, createAuthorizer } from '../../src/authorization/authorizer.ts';
import { Connector } from '../../src/connector/connector.ts';
import type { OutboundPolicy } from '../../src/connector/trust-profile.ts';
import { tryReadCredentialFiles } from '../../src/credentials/credential-files.ts';
import { buildTrustSnapshot, type TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { type Address, parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import { parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import { derived, MutableValue } from '../../src/lifecycle/observable-value.ts';
import { FabricListener } from '../../src/listener/fabric-listener.ts';
import type { Admit, CallRules, ListenerLimits, ListenerPolicy } from '../../src/listener/listener-policy.ts';
import type { Caller } from '../../src/rpc/caller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { type CredentialDirectoryOptions, makeCredentialDirectory } from './credential-directory.ts';
import { echoDefinition, echoImplementation } from './echo-service.ts';

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A trust snapshot of fresh files. */
export async function makeSnapshot(t: TestContext, options: CredentialDirectoryOptions = {}): Promise<TrustSnapshot> {
  const { files } = await makeCredentialDirectory(t, options);
  const reading = await tryReadCredentialFiles(files);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return buildTrustSnapshot(reading.bytes, { generation: 1, now: new Date() });
}

export interface TestListener {
  readonly listener: FabricListener;
  readonly address: TcpAddress;
  readonly policy: MutableValue<ListenerPolicy>;
  readonly trust: MutableValue<TrustSnapshot | undefined>;
  readonly admit: MutableValue<Admit>;
  readonly metrics: Metrics;
  /** Of each call that was decided on. */
  readonly callers: readonly Caller[];
  readonly log: LogLine[];
  refused(reason: string): LogLine | undefined;
}

/** A fabric listener with the echo service on a free loopback port; closed after the test. */
export async function startListener(
  t: TestContext,
  options: Partial<ListenerPolicy> &
    Partial<ListenerLimits> & {
      snapshot?: TrustSnapshot;
      allowed?: string[];
      host?: string;
      /** In place of those that are made of the snapshot, the allowed names and the mode. */
      trust?: MutableValue<TrustSnapshot | undefined>;
      admit?: MutableValue<Admit>;
      rules?: CallRules;
    } = {},
): Promise<TestListener> {
  const {
    snapshot,
    allowed = ['*'],
    host = '127.0.0.1',
    maxConnections = 100,
    maxConnectionsWithoutCertificate = 100,
    maxUnfinishedHandshakes = 100,
    trust = new MutableValue(snapshot),
    admit = new MutableValue(admitting(allowed)),
    rules,
    ...rest
  } = options;
  const policy = new MutableValue<ListenerPolicy>({
    mode: 'strict',
    requireClientAuth: true,
    minVersion: 'TLSv1.3',
    sniffTimeoutMs: 20_000,
    handshakeTimeoutMs: 20_000,
    withdrawalGraceMs: 100,
    ...rest,
  });
  const log: LogLine[] = [];
  const server = new grpc.Server({ 'grpc.enable_channelz': 0 });
  server.addService(echoDefinition, echoImplementation);
  const metrics = createMetrics();
  const callers: Caller[] = [];
  const listener = new FabricListener({
    server,
    policy,
    trust,
    limits: { maxConnections, maxConnectionsWithoutCertificate, maxUnfinishedHandshakes },
    admit,
    rules: rules ?? { authorize: derived(policy, authorizeIn), decided: caller => callers.push(caller) },
    logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    metrics,
  });
  const bound = await listener.listen(tcp(`${host.includes(':') ? `[${host}]` : host}:0`));
  t.after(async () => {
    await listener.close();
    server.forceShutdown();
  });
  if (bound.kind !== 'tcp') throw new Error('not TCP');
  return {
    listener,
    address: bound,
    policy,
    trust,
    admit,
    metrics,
    callers,
    log,
    refused: reason => log.find(line => line.event === 'connection.refused' && line.reason === reason),
  };
}

/** Admits certificates with one of these names as peers. */
export function admitting(allowed: readonly string[]): Admit {
  const lists = { peer: parsePatterns(allowed), admin: [], observer: [] };
  return identity => {
    const roles = rolesOf(lists, identity);
    return roles.size > 0
      ? { admitted: true, roles }
      : { admitted: false, reason: 'subject_not_allowed', detail: 'no' };
  };
}

export interface TestConnector {
  readonly connector: Connector;
  readonly policy: MutableValue<OutboundPolicy>;
  readonly trust: MutableValue<TrustSnapshot> | undefined;
  readonly addresses: MutableValue<readonly Address[]>;
  readonly client: grpc.Client;
  readonly log: LogLine[];
}

/** A connector that knows one member, `node-1`, and a client of it; closed after the test. */
export function startConnector(
  t: TestContext,
  options: {
    mode?: OutboundPolicy['mode'];
    addresses: readonly Address[];
    snapshot?: TrustSnapshot;
    serverSubjectNames?: string[];
    refusedHoldTimeoutMs?: number;
    connectTimeoutMs?: number;
    drainTimeoutMs?: number;
    holdTimeoutMs?: number;
    idleTimeoutMs?: number;
  },
): TestConnector {
  const trust = options.snapshot === undefined ? undefined : new MutableValue(options.snapshot);
  const policy = new MutableValue<OutboundPolicy>({
    mode: options.mode ?? 'strict',
    minVersion: 'TLSv1.3',
    profiles:
      trust === undefined
        ? []
        : [
            {
              name: 'default',
              destinations: [],
              trust,
              serverSubjectNames: parsePatterns(options.serverSubjectNames ?? ['*']),
              nodeIdentity: undefined,
            },
          ],
    withdrawalGraceMs: 100,
    denied: [],
  });
  const addresses = new MutableValue(options.addresses);
  const log: LogLine[] = [];
  const connector = new Connector({
    directory: {
      members: addresses,
      // No address at all stands for a member that was removed.
      member: name => (name === 'node-1' && addresses.value.length > 0 ? { addresses: addresses.value } : undefined),
      learnTls: () => {},
    },
    policy,
    options: {
      connectTimeoutMs: options.connectTimeoutMs ?? 20_000,
      reconnectMaxDelayMs: 500,
      maxMessageBytes: 4_194_304,
      idleTimeoutMs: options.idleTimeoutMs ?? 600_000,
      drainTimeoutMs: options.drainTimeoutMs ?? 20_000,
      holdTimeoutMs: options.holdTimeoutMs ?? 20_000,
      refusedHoldTimeoutMs: options.refusedHoldTimeoutMs ?? 0,
    },
    logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    metrics: createMetrics(),
  });
  const client = new grpc.Client('x', grpc.credentials.createInsecure(), overriding(connector.channel('node-1')));
  t.after(() => connector.close());
  return { connector, policy, trust, addresses, client, log };
}

/** Client options that put a channel in the place of grpc-js's own. */
export function overriding(channel: grpc.ChannelInterface): grpc.ClientOptions {
  const options: Record<string, unknown> = { channelOverride: channel };
  return options;
}

export function tcp(text: string): TcpAddress {
  const address = parseAddress(text);
  if (address.kind !== 'tcp') throw new Error(`${text} is not TCP`);
  return address;
}

function authorizeIn({ mode }: ListenerPolicy): Authorizer {
  return createAuthorizer({ policy: undefined, strict: mode === 'strict' }, new Set());
}
