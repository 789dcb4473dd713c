import type { RefusalReason } from '../errors/refusal-reason.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import type { Caller } from '../rpc/caller.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Distinct problems that are remembered; beyond it the oldest is forgotten, and logged again if it comes again. */
const MAX_REMEMBERED = 1_000;

export interface RefusedHello {
  /** Name the Hello claims; undefined where none could be read. Must be a node name. */
  readonly node: string | undefined;
  readonly reason: RefusalReason;
  readonly detail: string;
  readonly caller: Caller;
}

/**
 * Counts and logs Hellos that were refused. A node that is refused tries again for as long as it runs: each try is
 * counted, a problem is logged when it is new, and again only after that node was welcome in between. Of one host and reason
 * that is five lines in ten seconds, whatever names it takes.
 */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #metrics: Pick<Metrics, 'connectionsRefused'>;
  readonly #told: (peer: RefusedPeer) => void;
  /** Problem to node name. */
  readonly #logged = new Map<string, string>();
  readonly #repeats = new Repeats();

  /** @param told of each refusal, also of those that are not worth a line. */
  constructor(
    logger: Logger,
    metrics: Pick<Metrics, 'connectionsRefused'>,
    told: (peer: RefusedPeer) => void = () => {},
  ) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#told = told;
  }

  refused({ node, reason, detail, caller }: RefusedHello): void {
    this.#metrics.connectionsRefused.inc({ reason });
    const { connectionId, remoteAddress, identity } = caller;
    this.#told({ direction: 'inbound', remoteAddress, connectionId, claimedNode: node, reason, detail, identity });
    const host = caller.remoteAddress.replace(/:[0-9]+$/, '');
    const problem = JSON.stringify([node, reason, host]);
    if (this.#logged.has(problem)) return;
    const suppressed = this.#repeats.next(`${host} ${reason}`, Date.now());
    if (suppressed === undefined) return;
    this.#logged.set(problem, node ?? '');
    for (const oldest of this.#logged.keys()) {
      if (this.#logged.size <= MAX_REMEMBERED) break;
      this.#logged.delete(oldest);
    }
    this.#logger.warn('connection.refused', {
      direction: 'inbound',
      node,
      remote: caller.remoteAddress,
      reason,
      detail: printable(detail),
      ...certificateFields(caller.identity),
      ...(suppressed === 0 ? {} : { suppressed }),
    });
  }

  /** We refuse who answered our Hello; the link of that member logs it. */
  answered(peer: RefusedPeer): void {
    this.#metrics.connectionsRefused.inc({ reason: peer.reason });
    this.#told(peer);
  }

  welcomed(node: string): void {
    for (const [problem, name] of this.#logged) if (name === node) this.#logged.delete(problem);
  }
}
