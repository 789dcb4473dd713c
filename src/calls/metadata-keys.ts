/**
 * Keys that metadata of an application cannot have over HTTP/2: they are the connection's, or grpc-js writes and reads
 * them itself (RFC 9113 8.2.2, PROTOCOL-HTTP2.md "Custom-Metadata").
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'set-cookie',
  'te',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** Headers that Node's HTTP/2 sends once only. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'x-content-type-options',
]);

/** The one reserved key that applications set: a `google.rpc.Status` beside the status of a reply. */
const STATUS_DETAILS = 'grpc-status-details-bin';

/** Without `:`, which would be a pseudo header, and in lower case, as grpc-js has them. */
const LEGAL = /^[0-9a-z_.-]+$/;

/** Whether a key may stand in the metadata of a call that goes over the stream. */
export function mayCarry(key: string): boolean {
  if (!LEGAL.test(key) || FORBIDDEN.has(key)) return false;
  return !key.startsWith('grpc-') || key === STATUS_DETAILS;
}

/** Whether a key has one value at most. */
export function isSingle(key: string): boolean {
  return SINGLE.has(key);
}
