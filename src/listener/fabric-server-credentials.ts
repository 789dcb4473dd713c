import * as grpc from '@grpc/grpc-js';
import type { MinTlsVersion, TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { CallGate } from './call-gate.ts';
import { watchingAlpn } from './handshake-refusals.ts';
import type { Admit } from './listener-policy.ts';
import { Refuser } from './refuser.ts';

const WRAPPED = 'these credentials were wrapped by others that drop their interceptor; that server will accept nobody';

/** What grpc-js registers to hear of new certificates, one a server. */
type SecureContextWatcher = Parameters<grpc.ServerCredentials['_addWatcher']>[0];

export interface FabricServerCredentialsOptions {
  /** Read at each handshake and at each call. */
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly minVersion: MinTlsVersion;
  /** Deadline of a connection's handshake, from its acceptance. */
  readonly handshakeTimeoutMs: number;
  /** How long calls may go on over a connection that must go, in milliseconds. */
  readonly withdrawalGraceMs: number;
  /** Decides by the names of a verified certificate. */
  readonly admit: Admit;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Strict mutual TLS for a grpc-js server that somebody else owns: `server.bindAsync(address, credentials, ...)`.
 *
 * F1. Node completes no handshake without a client certificate that leads to a trust anchor: such a peer never gets to
 *     HTTP/2. All further questions (revocation, key usage, names) are asked when a connection is secured, when the
 *     answers may have changed, and before each call's handler.
 * F2. A server gets a certificate to show only once it has taken the interceptor that asks them. Whoever wraps these
 *     credentials without it, as `createServerCredentialsWithInterceptors` does, has a server that accepts nobody.
 * F3. A new trust snapshot holds for every handshake and every call that begins after it. Connections stay while their
 *     certificate is still good under it; others are closed after a grace. None outlives its certificate, with or without
 *     calls. Sessions never resume.
 */
export class FabricServerCredentials extends grpc.ServerCredentials {
  readonly #options: FabricServerCredentialsOptions;
  readonly #gate: CallGate;
  readonly #unsubscribe: () => void;
  /** Of the servers that ask the interceptor. */
  readonly #guarded = new Set<SecureContextWatcher>();
  /** Of the server that is being made and has not yet taken the interceptor. */
  #unguarded: SecureContextWatcher | undefined;

  constructor(options: FabricServerCredentialsOptions) {
    const { trust, admit, logger, metrics, handshakeTimeoutMs, withdrawalGraceMs } = options;
    const refuser = new Refuser(logger, metrics);
    const gate = new CallGate({ trust, admit, refuser, logger, metrics, withdrawalGraceMs });
    super({
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: handshakeTimeoutMs,
      ALPNCallback: watchingAlpn(refuser, trust, socket => gate.follow(socket)),
    });
    this.#options = options;
    this.#gate = gate;
    // Not updateSecureContextOptions(), which would keep the private key in a property for anyone to print.
    this.#unsubscribe = trust.subscribe(() => {
      for (const watcher of this.#guarded) watcher(this.#contextOptions());
    });
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }

  override _getSecureContextOptions(): null {
    return null;
  }

  override _addWatcher(watcher: SecureContextWatcher): void {
    this.#unguarded = watcher;
    queueMicrotask(() => {
      if (this.#unguarded === watcher) this.#options.logger.error('credentials.without_interceptor', {}, WRAPPED);
    });
  }

  override _removeWatcher(watcher: SecureContextWatcher): void {
    this.#guarded.delete(watcher);
  }

  override _getInterceptors(): grpc.ServerInterceptor[] {
    // grpc-js asks for the interceptors right after it added its watcher, without a turn of the event loop between.
    const watcher = this.#unguarded;
    this.#unguarded = undefined;
    if (watcher !== undefined) {
      this.#guarded.add(watcher);
      watcher(this.#contextOptions());
    }
    return [this.#gate.interceptor];
  }

  /** Rotates no more. Servers go on with the last snapshot, and calls are judged by it. */
  close(): void {
    this.#unsubscribe();
    this.#gate.close();
  }

  #contextOptions(): ReturnType<TrustSnapshot['contextOptions']> {
    return this.#options.trust.value.contextOptions(this.#options.minVersion);
  }
}
