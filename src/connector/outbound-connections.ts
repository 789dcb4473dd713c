import type { Socket } from 'node:net';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Security } from '../rpc/security.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** One connection this process dialled. */
export interface OutboundConnection {
  readonly id: number;
  readonly nodeName: string;
  /** The dialled address with its scheme. */
  readonly address: string;
  readonly security: Security;
  readonly identity: PeerIdentity | undefined;
  readonly openedAt: Date;
}

/** The open outbound connections of one connector, counted in the metrics. */
export class OutboundConnections {
  readonly #open = new Map<number, OutboundConnection>();
  readonly #metrics: Metrics;
  #lastId = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  get all(): readonly OutboundConnection[] {
    return [...this.#open.values()];
  }

  /** Keeps the connection in the list until its socket closes. */
  add(socket: Socket, facts: Omit<OutboundConnection, 'id' | 'openedAt'>): void {
    // Gone during the probe or the handshake: its `close` was emitted already.
    if (socket.destroyed) return;
    this.#lastId += 1;
    const connection = { ...facts, id: this.#lastId, openedAt: new Date() };
    const labels = { direction: 'outbound', security: facts.security.kind };
    this.#open.set(connection.id, connection);
    this.#metrics.connections.inc(labels);
    socket.once('close', () => {
      this.#open.delete(connection.id);
      this.#metrics.connections.dec(labels);
    });
  }
}
