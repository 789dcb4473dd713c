import type { OutboundPolicy } from '../connector/trust-profile.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { TlsMemory } from '../membership/tls-memory.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { CredentialSet } from './credential-set.ts';
import type { DataDirectory } from './data-directory.ts';
import type { NodeProblems } from './node-problems.ts';
import type { NodeSettings } from './node-settings.ts';

/** What sources of members are made of. */
export interface SourceParts {
  readonly credentials: CredentialSet;
  readonly outbound: ObservableValue<OutboundPolicy>;
  readonly data: DataDirectory;
  readonly settings: ObservableValue<NodeSettings>;
  readonly problems: NodeProblems;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Names of members that this node cannot reach now. */
  readonly unreachable: ObservableValue<ReadonlySet<string>>;
  /** Who spoke mutual TLS, also before this process. */
  readonly tlsMemory: ObservableValue<TlsMemory>;
  /** Told of each node that this one refuses to take for a member. */
  readonly refused: (peer: RefusedPeer) => void;
}
