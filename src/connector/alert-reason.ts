import type { RefusalReason } from '../errors/refusal-reason.ts';

/** What a TLS alert of the server says about why it refused us (RFC 8446 6.2), as OpenSSL's error codes name it. */
const REASON_OF_ALERT: Readonly<Record<string, RefusalReason>> = {
  // 71: what a plain listener of ours answers to a ClientHello.
  ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY: 'tls_on_plain_listener',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'tls_version',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls_version',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'unknown_ca',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'no_certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'certificate_expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'certificate_revoked',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'wrong_key_usage',
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: 'subject_not_allowed',
};

/** The refusal an error of a TLS socket stands for; undefined where it is no refusal but a broken connection. */
export function reasonOfTlsError(error: Error): { reason: RefusalReason; detail: string } | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return { reason: 'handshake_failed', detail: 'the server does not speak TLS on this port' };
  }
  const reason = REASON_OF_ALERT[code];
  if (reason !== undefined) return { reason, detail: code };
  return code.startsWith('ERR_SSL_') ? { reason: 'handshake_failed', detail: code } : undefined;
}
