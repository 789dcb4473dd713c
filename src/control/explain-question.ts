import { Metadata } from '@grpc/grpc-js';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { parseNodeName } from '../identity/node-name.ts';
import type { ExplainRequest, Header } from '../rpc/explain-messages.ts';
import { isTokenName } from '../rpc/token-name.ts';

/** What a caller of `Explain` wants to know, found good and bounded. */
export interface ExplainQuestion {
  readonly subject: ExplainSubject;
  readonly call: ExplainedCall;
}

export type ExplainSubject =
  | { readonly kind: 'certificate'; readonly content: Uint8Array }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'connection'; readonly id: number }
  | { readonly kind: 'fingerprint'; readonly fingerprint256: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'token'; readonly name: string };

/** The call that is asked about. */
export interface ExplainedCall {
  /** `/package.Service/Method`; undefined: each method that is served. */
  readonly method: string | undefined;
  readonly headers: Metadata;
}

const MAX_CERTIFICATE_BYTES = 65_536;
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 16_384;
const METHOD = /^\/?([\w.]+\/\w+)$/;
const MAX_METHOD_LENGTH = 512;

/** @throws usage, node_name_invalid */
export function parseExplainRequest(request: ExplainRequest): ExplainQuestion {
  return {
    subject: subjectOf(request),
    call: { method: methodOf(request.method), headers: metadataOf(request.headers) },
  };
}

function subjectOf({
  certificate,
  nodeName,
  connectionId,
  refused,
  fingerprintSha256,
  tokenName,
}: ExplainRequest): ExplainSubject {
  if (certificate !== undefined) {
    if (certificate.length === 0 || certificate.length > MAX_CERTIFICATE_BYTES)
      throw wrong(`a certificate with its chain has 1 to ${MAX_CERTIFICATE_BYTES} bytes`);
    return { kind: 'certificate', content: certificate };
  }
  if (nodeName !== undefined) return { kind: 'node', name: parseNodeName(nodeName) };
  if (connectionId !== undefined) return { kind: 'connection', id: connectionId };
  if (fingerprintSha256 !== undefined) return { kind: 'fingerprint', fingerprint256: fingerprintOf(fingerprintSha256) };
  if (refused === true) return { kind: 'refused' };
  if (tokenName !== undefined) {
    if (!isTokenName(tokenName))
      throw wrong('a token has a name of letters, digits and ._@-, 64 at most; never send the token itself');
    return { kind: 'token', name: tokenName };
  }
  throw wrong('say whom: certificate, node_name, connection_id, fingerprint_sha256, refused or token_name');
}

function fingerprintOf(text: string): string {
  const digits = text
    .replace(/^sha256:/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) throw wrong('a SHA-256 fingerprint has 64 hexadecimal digits');
  return digits;
}

function methodOf(text: string): string | undefined {
  if (text === '') return undefined;
  const [, method] = (text.length <= MAX_METHOD_LENGTH && METHOD.exec(text)) || [];
  if (method === undefined) throw wrong('a method is written /package.Service/Method');
  return `/${method}`;
}

function metadataOf(headers: readonly Header[]): Metadata {
  const bytes = headers.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (headers.length > MAX_HEADERS || bytes > MAX_HEADER_BYTES)
    throw wrong(`at most ${MAX_HEADERS} headers of ${MAX_HEADER_BYTES} bytes together`);
  const metadata = new Metadata();
  for (const { key, value } of headers) {
    try {
      metadata.add(key, value);
    } catch {
      throw wrong(
        'a header is not one of gRPC metadata: text, and a key of a-z, 0-9, "_", "-" and "." that does not end in -bin',
      );
    }
  }
  return metadata;
}

function wrong(problem: string): SelvedgeError<'usage'> {
  return new SelvedgeError('usage', problem, { problem });
}
