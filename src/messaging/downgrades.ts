import type { Security } from '../rpc/security.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { KnownMembers } from './peer-parts.ts';

/** How a member that spoke mutual TLS came back. */
export interface Downgrade {
  /** `deny`: it was refused. */
  readonly decision: 'allow' | 'deny';
  readonly since: Date;
}

interface Stream {
  readonly node: string;
  readonly security: Security;
  readonly direction: 'inbound' | 'outbound';
}

export interface DowngradesParts {
  readonly directory: Pick<KnownMembers, 'spokeTls' | 'refusesPlaintext'>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'plaintextPeers' | 'peerDowngrades' | 'downgradedPeers'>;
}

/**
 * Sees who takes a step down from mutual TLS, and says so once: `peer.downgraded`, and `peer.downgrade_ended` when the
 * member has a stream over mutual TLS again, or is permitted what it does. In between it stays so, with a stream or
 * without: who went silent has not come back.
 */
export class Downgrades {
  readonly #parts: DowngradesParts;
  readonly #live: (name: string) => Stream | undefined;
  readonly #all = new Map<string, Downgrade>();

  /** @param live the stream of a member now. */
  constructor(parts: DowngradesParts, live: (name: string) => Stream | undefined) {
    this.#parts = parts;
    this.#live = live;
  }

  /** By name; only members. */
  get all(): ReadonlyMap<string, Downgrade> {
    return this.#all;
  }

  /** Whether a stream with that member over such a connection is a step down that is refused. */
  isRefused(name: string, { kind }: Security): boolean {
    return kind !== 'mutual_tls' && this.#parts.directory.refusesPlaintext(name);
  }

  /** To be told of all streams whenever they, the members or the policy have changed. */
  review(streams: readonly Stream[]): void {
    const { directory, metrics } = this.#parts;
    const unproven = streams.filter(({ security }) => security.kind !== 'mutual_tls');
    metrics.plaintextPeers.set(unproven.length);
    for (const { node, security, direction } of unproven)
      if (directory.spokeTls(node)) this.#downgraded(node, 'allow', { direction, security: security.kind });
    for (const node of this.#all.keys()) {
      if (!directory.spokeTls(node)) this.#ended(node, 'permitted');
      else if (this.#live(node)?.security.kind === 'mutual_tls') this.#ended(node, 'mutual_tls');
    }
    metrics.downgradedPeers.set(this.#all.size);
  }

  /** A Hello in the name of a member was refused. While that member has a stream over mutual TLS it is not its own. */
  refused(node: string, security: Security): void {
    if (this.#live(node)?.security.kind === 'mutual_tls') return;
    this.#downgraded(node, 'deny', { direction: 'inbound', security: security.kind });
    this.#parts.metrics.downgradedPeers.set(this.#all.size);
  }

  #downgraded(node: string, decision: Downgrade['decision'], facts: Readonly<Record<string, string>>): void {
    if (this.#all.get(node)?.decision === decision) return;
    this.#all.set(node, { decision, since: new Date() });
    this.#parts.metrics.peerDowngrades.inc({ decision });
    this.#parts.logger.warn('peer.downgraded', { node, decision, ...facts });
  }

  #ended(node: string, reason: 'permitted' | 'mutual_tls'): void {
    this.#all.delete(node);
    this.#parts.logger.info('peer.downgrade_ended', { node, reason });
  }
}
