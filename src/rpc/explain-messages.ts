// Of `proto/selvedge/control/v1/control.proto`, what `Explain` asks and answers; see control-messages.ts.

export interface ExplainRequest {
  /** Which of those below is set; said by the loader where a request is read. */
  readonly subject?: string;
  /** PEM, leaf first and then intermediates, or the DER of one certificate. */
  readonly certificate?: Uint8Array;
  readonly nodeName?: string;
  readonly connectionId?: number;
  /** 64 hexadecimal digits, `sha256:` before them or not, colons between the bytes or not. */
  readonly fingerprintSha256?: string;
  /** True: all whose certificates were refused of late. */
  readonly refused?: boolean;
  /** The name of a static token, never the token itself. */
  readonly tokenName?: string;
  /** `/package.Service/Method`; empty: every method that the node serves. */
  readonly method: string;
  readonly headers: readonly Header[];
}

export interface Header {
  readonly key: string;
  readonly value: string;
}

export interface ExplainResponse {
  readonly explanations: readonly Explanation[];
  /** Of the node that answers: plain, optional or strict. */
  readonly mode: string;
}

/** Why somebody is admitted or not, and may call what. */
export interface Explanation {
  /** What it is judged as: client or server. */
  readonly usage: string;
  /** 0 where no connection is explained. */
  readonly connectionId: number;
  /** inbound or outbound; empty where no connection is explained. */
  readonly direction: string;
  readonly remoteAddress: string;
  readonly security: string;
  /** The node at the other end, where a peer stream, a dial or the certificate says so. */
  readonly nodeName: string;
  readonly admitted: boolean;
  /** A refusal reason code, or of a token an authentication failure; empty where it is admitted. */
  readonly reason: string;
  /** Why, in one sentence for the operator: it quotes patterns. */
  readonly detail: string;
  readonly roles: readonly string[];
  /** Null where nothing matched, or no name was asked for. */
  readonly matched: NameMatch | null;
  /** The path to the anchor that vouches; as presented where none does. */
  readonly chain: readonly ChainCertificate[];
  /** Null without a certificate that can be read. */
  readonly names: CertificateNames | null;
  readonly rolePatterns: readonly RolePattern[];
  /** Null unless it is judged as a server. */
  readonly expectation: Expectation | null;
  /** Members whose node name the certificate proves; at most 16. */
  readonly provesNodes: readonly string[];
  /** Who it is to policies; empty of a server. */
  readonly principal: string;
  readonly methods: readonly MethodExplanation[];
  /** When a peer with this certificate was last refused, and why then; 0 and empty where none was. */
  readonly refusedAtMs: number;
  readonly refusedReason: string;
}

/** A pattern and the name it matches or comes near to. */
export interface NameMatch {
  readonly pattern: string;
  /** cn, dns, uri, ip or any. */
  readonly kind: string;
  readonly value: string;
  /** Why it is no match; empty where it is. */
  readonly why: string;
}

export interface ChainCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly fingerprintSha256: string;
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isAnchor: boolean;
}

export interface CertificateNames {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Empty where the certificate is no SPIFFE identity. */
  readonly spiffeId: string;
}

export interface RolePattern {
  /** peer, admin or observer. */
  readonly role: string;
  readonly matched: NameMatch | null;
  /** Null where a pattern matched, or no name is of a kind that the list asks for. */
  readonly nearest: NameMatch | null;
  /** How many patterns the list has. */
  readonly patterns: number;
}

/** Whom a dial expects to find. */
export interface Expectation {
  /** `default`, or `profile 1` and so on. */
  readonly profile: string;
  /** node_identity, server_subject_names or host. */
  readonly kind: string;
  /** Patterns, one of which must match; the host alone where that is asked for. */
  readonly expected: readonly string[];
  readonly nearest: NameMatch | null;
}

export interface MethodExplanation {
  /** `/package.Service/Method` */
  readonly method: string;
  /** Whether the node serves it. */
  readonly served: boolean;
  readonly enforced: PolicyDecision | null;
  /** What the shadow policy would decide; null without one. */
  readonly shadow: PolicyDecision | null;
}

export interface PolicyDecision {
  readonly allowed: boolean;
  /** built-in, or the name of a policy file. */
  readonly policy: string;
  /** Of the rule that decided; empty where none matched. */
  readonly rule: string;
  /** What decided, or how the nearest rule misses, in words for the operator. */
  readonly why: string;
}
