import { Connector } from '../connector/connector.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { derived, MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { EtcdConnection } from '../membership/etcd-source-parts.ts';
import { EtcdClient } from '../rpc/etcd-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { EtcdMembershipSettings } from './membership-settings.ts';
import type { NodeSettings, TlsSettings } from './node-settings.ts';

export interface EtcdConnectionParts {
  readonly etcd: Pick<EtcdMembershipSettings, 'endpoints' | 'requestTimeoutMs' | 'leaseTtlMs'>;
  readonly settings: ObservableValue<Pick<NodeSettings, 'networking' | 'tls'>>;
  /** What is shown and trusted; undefined over plaintext. */
  readonly trust: ObservableValue<TrustSnapshot> | undefined;
  readonly logger: Logger;
}

const ETCD = 'etcd';
/** All members are read in one answer. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const DEFAULT_GRACE_MS = 5_000;

/**
 * The way to etcd: a connector with this one destination, so that its credentials rotate, its certificate is judged and its
 * endpoints are tried as those of a member. The host of the endpoint must be in the certificate. It has metrics of its own,
 * which nobody sees: those of the node are about the fabric.
 */
export function openEtcdConnection({ etcd, settings, trust, logger }: EtcdConnectionParts): EtcdConnection {
  const { endpoints, requestTimeoutMs, leaseTtlMs } = etcd;
  const { networking } = settings.value;
  const policy = derived(settings, ({ tls }) => policyOf(tls, trust));
  const listeners = new Set<() => void>();
  // Nodes that all begin with the first endpoint would all be clients of one server.
  const order = new MutableValue(turned(endpoints, Math.floor(Math.random() * endpoints.length)));
  const connector = new Connector({
    directory: {
      members: order,
      member: name => (name === ETCD ? { addresses: order.value } : undefined),
      learnTls: () => {},
    },
    policy,
    options: {
      ...networking,
      connectTimeoutMs: Math.min(networking.connectTimeoutMs, requestTimeoutMs),
      // Several tries must fit into the time that a lease has left when it should be kept alive.
      reconnectMaxDelayMs: Math.min(networking.reconnectMaxDelayMs, leaseTtlMs / 6),
      maxMessageBytes: MAX_MESSAGE_BYTES,
    },
    // Several endpoints take turns while all are away; that they are, the standing of the source says once.
    logger: { ...logger, warn: (event, ...more) => logger[event === 'dial.failed' ? 'debug' : 'warn'](event, ...more) },
    metrics: createMetrics(),
  });
  connector.onConnected = () => {
    for (const listener of listeners) listener();
  };
  return {
    client: new EtcdClient(connector.channel(ETCD).impatient, { timeoutMs: requestTimeoutMs }),
    onMoved: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tryAnother: () => {
      if (endpoints.length > 1) order.set(turned(order.value, 1));
    },
    user: () => trust?.value.own.identity.commonName,
    close: () => {
      connector.close();
      policy[Symbol.dispose]();
    },
  };
}

function turned<T>(list: readonly T[], by: number): readonly T[] {
  return [...list.slice(by), ...list.slice(0, by)];
}

function policyOf(tls: TlsSettings | undefined, trust: ObservableValue<TrustSnapshot> | undefined): OutboundPolicy {
  const profile = { name: ETCD, destinations: [], serverSubjectNames: [], nodeIdentity: undefined };
  return {
    mode: trust === undefined ? 'plain' : 'strict',
    minVersion: tls?.minVersion ?? 'TLSv1.3',
    profiles: trust === undefined ? [] : [{ ...profile, trust }],
    withdrawalGraceMs: tls?.withdrawalGraceMs ?? DEFAULT_GRACE_MS,
    denied: tls?.deniedCertificates ?? [],
  };
}
