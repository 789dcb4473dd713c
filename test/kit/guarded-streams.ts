import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createAuthorizer } from '../../src/authorization/authorizer.ts';
import type { Policy } from '../../src/authorization/policy.ts';
import type { OutboundPolicy } from '../../src/connector/trust-profile.ts';
import type { TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { withScheme } from '../../src/identity/address.ts';
import { MutableValue } from '../../src/lifecycle/observable-value.ts';
import type { Admit, AuthorizeCall } from '../../src/listener/listener-policy.ts';
import { type GuardedFacts, StreamGuards } from '../../src/node/stream-guards.ts';
import type { Caller } from '../../src/rpc/caller.ts';
import type { Decision } from '../../src/rpc/decision.ts';
import type { RefusedPeer } from '../../src/rpc/refused-peer.ts';
import type { StreamGuard } from '../../src/rpc/stream-guard.ts';
import type { StreamWay } from '../../src/rpc/stream-way.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { openChat } from './chat.ts';
import { admitting, type LogLine, makeSnapshot, startConnector, startListener } from './fabric-pair.ts';
import { until } from './until.ts';

export const PEER: CertificateRequest = { commonName: 'node-1', uris: ['spiffe://dev/fabric/node-1'] };
const OWN: CertificateRequest = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'] };
const SERVED = new Set(['/test.Echo/Echo']);
const FABRIC = ['uri:spiffe://dev/fabric/*'];

export interface GuardedStream {
  readonly guard: StreamGuard;
  readonly way: StreamWay;
  readonly guards: StreamGuards;
  readonly facts: GuardedFacts;
  /** Of the CA of both. */
  readonly authority: Authority;
  /** Whom the listener of the guarded node trusts, and what it shows. */
  readonly trust: MutableValue<TrustSnapshot | undefined>;
  readonly admit: MutableValue<Admit>;
  readonly outbound: MutableValue<OutboundPolicy>;
  /** What the guarded node shows and whom it trusts as a client. */
  readonly dialled: MutableValue<TrustSnapshot>;
  readonly decided: { readonly caller: Caller; readonly path: string; readonly decision: Decision }[];
  readonly refused: RefusedPeer[];
  readonly log: LogLine[];
  readonly exposed: () => Promise<string>;
  /** Decides by another policy from now on. */
  decideBy(policy: Policy | undefined): void;
  /** Begins to end inbound connections; running calls have a minute. */
  drain(): void;
  /** Another connection takes the place of the one under the stream, which that node dialled. */
  moveOn(): Promise<void>;
  /** Ends the connection under the stream. */
  disconnect(): Promise<void>;
}

export interface GuardedStreamOptions {
  readonly direction: 'inbound' | 'outbound';
  readonly peer?: CertificateRequest;
  readonly authority?: Authority;
  /** Whom the listener trusts. Default: the CA of the peer. */
  readonly trusted?: Authority;
  readonly allowed?: readonly string[];
}

/**
 * A node, node-2, and the connection under its peer stream to node-1, which one of them dialled with mutual TLS over
 * loopback; and what guards that stream there.
 */
export async function guardedStream(t: TestContext, options: GuardedStreamOptions): Promise<GuardedStream> {
  const authority = options.authority ?? (await createAuthority());
  const peerSnapshot = await makeSnapshot(t, { authority, request: options.peer ?? PEER });
  const own = await makeSnapshot(t, { authority, request: OWN });
  const { trusted = authority, direction, allowed = FABRIC } = options;
  const trust = new MutableValue<TrustSnapshot | undefined>(
    trusted === authority ? own : await makeSnapshot(t, { authority: trusted, request: OWN }),
  );
  const admit = new MutableValue(admitting(allowed));
  const authorizerOf = (policy: Policy | undefined): AuthorizeCall =>
    createAuthorizer({ policy, strict: true }, SERVED);
  const authorize = new MutableValue(authorizerOf(undefined));
  const decided: GuardedStream['decided'] = [];
  const rules = {
    authorize,
    decided: (caller: Caller, path: string, decision: Decision) => decided.push({ caller, path, decision }),
  };
  const here = await startListener(t, { trust, admit, rules });
  const there = await startListener(t, { snapshot: peerSnapshot });
  const dialledAs = direction === 'outbound' ? own : peerSnapshot;
  const dialling = startConnector(t, {
    addresses: [withScheme((direction === 'outbound' ? there : here).address, 'https')],
    snapshot: dialledAs,
  });
  // In the place of the peer stream: a connection that must go stays until it has ended.
  await openChat(dialling.client).says('x');
  const dialled = dialling.trust ?? assert.fail();
  const ownDialled = direction === 'outbound' ? dialled : new MutableValue(own);
  const outbound = new MutableValue<OutboundPolicy>({
    ...dialling.policy.value,
    profiles: dialling.policy.value.profiles.map(profile => ({ ...profile, trust: ownDialled })),
  });
  const refused: RefusedPeer[] = [];
  const log: LogLine[] = [];
  const guards = new StreamGuards({
    listener: here.listener,
    connector: dialling.connector,
    directory: {
      members: dialling.addresses,
      member: name => (name === 'node-1' ? { addresses: [withScheme(there.address, 'https')] } : undefined),
    },
    trust,
    admit,
    outbound,
    rules,
    graceMs: () => here.policy.value.withdrawalGraceMs,
    refused: peer => refused.push(peer),
    logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
    metrics: here.metrics,
  });
  t.after(() => guards.close());
  const facts = direction === 'outbound' ? outboundFacts(dialling.connector) : inboundFacts(here.listener);
  return {
    guard: guards.guardOf(facts),
    way: guards.wayOf(facts),
    guards,
    facts,
    authority,
    trust,
    admit,
    outbound,
    dialled: ownDialled,
    decided,
    refused,
    log,
    exposed: () => here.metrics.expose(),
    decideBy: policy => authorize.set(authorizerOf(policy)),
    drain: () => void here.listener.drainConnections('node_draining', 60_000),
    moveOn: async () => {
      const { connector } = dialling;
      connector.renewOthers('node-1', '0'.repeat(64));
      await until('another connection is in use', () => {
        const now = connector.securityOf('node-1');
        return now !== undefined && now !== facts.security;
      });
    },
    disconnect: async () => {
      await (direction === 'outbound' ? there : here).listener.close();
      dialling.connector.close();
      await until('it is closed', () => dialling.connector.connections.length === 0);
    },
  };
}

function outboundFacts({ connections }: ReturnType<typeof startConnector>['connector']): GuardedFacts {
  const [connection = assert.fail('it was not dialled')] = connections;
  const { security, identity, nodeName } = connection;
  return {
    direction: 'outbound',
    security,
    identity,
    connectionId: undefined,
    introduction: { nodeName, serverCertificateSha256: identity?.fingerprint256 },
  };
}

function inboundFacts({ connections }: Awaited<ReturnType<typeof startListener>>['listener']): GuardedFacts {
  const [connection = assert.fail('it did not come in')] = connections;
  const { security, identity, connectionId } = connection.caller;
  return {
    direction: 'inbound',
    security,
    identity,
    connectionId,
    introduction: { nodeName: 'node-1', serverCertificateSha256: identity?.fingerprint256 },
  };
}
