import type { CredentialProblem } from './credential-problem.ts';

/** The bytes of one part of a set of credentials; printing or serialising it shows the name and the mode alone. */
export class FileContent {
  /** The path it was read from, or what else names its place, such as `spiffe:unix:/run/agent.sock`. */
  readonly file: string;
  /** Permission bits, such as 0o600. */
  readonly mode: number;
  /**
   * Of trust anchors: the SPIFFE trust domain they vouch for and no other (SPIFFE Trust Domain and Bundle 6). Undefined:
   * they vouch for anybody.
   */
  readonly trustDomain: string | undefined;
  readonly #bytes: Uint8Array;

  constructor(file: string, mode: number, bytes: Uint8Array, trustDomain?: string) {
    this.file = file;
    this.mode = mode;
    this.trustDomain = trustDomain;
    this.#bytes = bytes;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}

/** One set of credentials as its source gave it, not yet checked. Certificates and key are PEM; a CRL may be DER as well. */
export interface CredentialBytes {
  /** Leaf first, then intermediates. */
  readonly cert: FileContent;
  /** The unencrypted private key of the leaf. */
  readonly key: FileContent;
  /** Trust anchors; each may be a bundle. */
  readonly ca: readonly FileContent[];
  readonly crl: readonly FileContent[];
}

/** The part of a set by which peers are judged. */
export type TrustBytes = Pick<CredentialBytes, 'ca' | 'crl'>;

/** What one look at a source found. */
export type CredentialReading =
  | {
      readonly ok: true;
      readonly bytes: CredentialBytes;
      /** What is odd about the place, but stops nothing. Default: nothing. */
      readonly warnings?: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly CredentialProblem[];
      /** What peers are judged by, where that could be read: only our own certificate or key could not. */
      readonly trust?: TrustBytes;
    };
