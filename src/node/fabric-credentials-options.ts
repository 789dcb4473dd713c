import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { CredentialOptions } from './credential-options.ts';
import type { TlsVersion } from './node-options.ts';

/**
 * Texts are parsed when the credentials are opened; all mistakes are reported at once (`config_invalid`), and an option that
 * does not exist is one.
 */
export interface FabricCredentialsOptions extends CredentialOptions {
  /**
   * Subject-name patterns of the clients whose calls reach a handler, such as `uri:spiffe://prod/fabric/*`. Never empty;
   * `['*']` admits every certificate of the CA.
   */
  readonly allowedSubjectNames: readonly string[];
  /** Patterns of who may answer when a client dials. Empty (default): the dialled host must be in the certificate. */
  readonly serverSubjectNames?: readonly string[];
  /**
   * Refused in both directions although the CA vouches for them: `sha256:` and a fingerprint, `serial:` and a serial
   * number (hexadecimal), or a subject-name pattern. Default none.
   */
  readonly deniedCertificates?: readonly string[];
  /** Default `1.3`. */
  readonly minVersion?: TlsVersion;
  /** Deadline of a TLS handshake, in both directions. Default 5,000. */
  readonly handshakeTimeoutMs?: number;
  /**
   * How long inbound calls may go on over a connection whose certificate is no longer trusted, no longer allowed, or
   * expires; then they are cut, with the reason. Default 5,000.
   */
  readonly withdrawalGraceMs?: number;
  /** Files are read again this often even when no change was seen. Default 3,600,000. */
  readonly refreshIntervalMs?: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** Default: a registry of its own, which nobody sees. */
  readonly metrics?: Metrics;
}
