/** Where credentials come from; see `docs/operations.md`. */
export const CREDENTIAL_SOURCES = ['files', 'bundle', 'directory', 'spiffe', 'auto'] as const;
export type CredentialSourceKind = (typeof CREDENTIAL_SOURCES)[number];

/** Where credentials come from. What the source does not use must not be given. Each file is PEM. */
export interface CredentialOptions {
  /**
   * `files` (default): `certFile`, `keyFile` and `caFiles`. `bundle`: `bundleFile` and `caFiles`. `directory`:
   * `directory`, and `caFiles` where they are not those of the directory. `spiffe`: `workloadApiSocket`, and `caFiles`
   * for nodes whose certificates do not come from there. `auto`: the first of the well-known SPIRE places that holds
   * credentials, `workloadApiSocket` before all others; it is an error where none does.
   */
  readonly source?: CredentialSourceKind;
  /** Leaf first, then intermediates. */
  readonly certFile?: string;
  /** The private key of the leaf; should not be readable by others. */
  readonly keyFile?: string;
  /** Certificate chain and private key, in any order. */
  readonly bundleFile?: string;
  /** A directory with `tls.crt`, `tls.key` and `ca.crt`, or `svid.pem`, `svid_key.pem` and `svid_bundle.pem`. */
  readonly directory?: string;
  /**
   * The SPIFFE Workload API: `unix:/path`, `unix:///path` or a path, at most 107 bytes. A library does not look at
   * `SPIFFE_ENDPOINT_SOCKET`; pass it here.
   */
  readonly workloadApiSocket?: string;
  /** Trust anchors; each file may be a bundle. */
  readonly caFiles?: readonly string[];
  /** Certificate revocation lists, PEM or DER. Default none. */
  readonly crlFiles?: readonly string[];
}
