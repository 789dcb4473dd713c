import * as grpc from '@grpc/grpc-js';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { type Address, formatAddress } from '../identity/address.ts';
import { printable } from '../telemetry/logger.ts';
import { CommandFailure, usageFailure } from './command-failure.ts';

/** A call that failed, and what is known about it. */
export interface CallFailure {
  readonly address: Address;
  /** `selvedge.control.v1.NodeControl/Drain` */
  readonly method: string;
  readonly error: grpc.ServiceError;
  /** Whether the connection stood: then the error is an answer. */
  readonly isConnected: boolean;
  /** What our own handshake found; undefined where it did not run or went well. */
  readonly dialError: unknown;
  /** Whether we had a certificate to show. */
  readonly hasCertificate: boolean;
  /** Whether the call carried a token. */
  readonly hasToken: boolean;
  readonly timeoutMs: number;
}

/** What happened and what to do next, for the operator. */
export function explainCallFailure(failure: CallFailure): CommandFailure {
  const { isConnected, dialError } = failure;
  const at = formatAddress(failure.address);
  if (isConnected) return explainAnswer(failure, at);
  if (isSelvedgeError(dialError, 'refused')) {
    const { reason, by, detail } = dialError.facts;
    const who = by === 'peer' ? 'the node refused the connection' : 'the node is not the one that was expected';
    const why = detail === '' ? reason : `${reason}: ${detail}`;
    const remedy = by === 'peer' ? REMEDIES_OF_PEER[reason] : REMEDIES_OF_US[reason];
    return new CommandFailure(`${at}: ${who}: ${why}.`, remedy ?? '');
  }
  return explainUnreachable(failure, at);
}

/** When the node refused us. */
const REMEDIES_OF_PEER: { readonly [Reason in RefusalReason]?: string } = {
  plaintext_refused: 'It takes TLS alone: use https:// with --tls-ca, --tls-cert and --tls-key, or its admin socket.',
  tls_on_plain_listener: 'It speaks plaintext: use http://, or its admin socket.',
  no_certificate: 'Give --tls-cert and --tls-key.',
  unknown_ca: 'It does not trust the CA of your certificate: use one that its ca-file vouches for.',
  certificate_expired: 'Renew your certificate, such as with: selvedgectl certs rotate NAME.',
  certificate_not_yet_valid: 'Compare the clocks of this machine and of the node.',
  certificate_revoked: 'Ask for a new certificate.',
  wrong_key_usage: 'Your certificate is not meant for TLS clients: use one of: selvedgectl certs admin NAME.',
  subject_not_allowed:
    'Use a certificate that its authorization.admin-subject-names or observer-subject-names match; selvedgectl tls explain shows what would.',
  too_many_connections: 'Try again when it has fewer connections, or use its admin socket.',
};

/** When we refused the node. */
const REMEDIES_OF_US: { readonly [Reason in RefusalReason]?: string } = {
  unknown_ca: 'Give the CA that vouches for the node with --tls-ca.',
  certificate_expired: 'Renew the certificate of the node; its admin socket still answers.',
  certificate_not_yet_valid: 'Compare the clocks of this machine and of the node.',
  server_identity_mismatch: 'Use a name of its certificate as address, or say who must answer with --tls-server-name.',
  wrong_key_usage: 'The certificate of the node is not meant for TLS servers.',
};

function explainUnreachable({ error, dialError, timeoutMs, address }: CallFailure, at: string): CommandFailure {
  const why = printable(dialError === undefined ? error.details : messageOf(dialError), 300);
  const isLocal = address.kind === 'unix';
  if (why.includes('ECONNREFUSED'))
    return new CommandFailure(`${at}: nothing listens there.`, 'Is the node running, and is this its address?');
  if (why.includes('ENOENT') && isLocal)
    return new CommandFailure(
      `${at}: there is no such socket.`,
      'Is the node running, and is this its data directory?',
    );
  if (why.includes('EACCES'))
    return new CommandFailure(
      `${at}: permission denied.`,
      'The admin socket is for the user that the node runs as; use that user, or https:// with a certificate.',
    );
  if (why.includes('ENOTFOUND') || why.includes('Name resolution failed'))
    return new CommandFailure(`${at}: the host name is not known.`, 'Check its spelling.');
  if (error.code === grpc.status.DEADLINE_EXCEEDED)
    return new CommandFailure(
      `${at}: no connection within ${timeoutMs / 1_000} s.`,
      'Is the address right? --timeout waits longer.',
    );
  return new CommandFailure(`${at}: cannot be reached: ${why}.`);
}

function explainAnswer(failure: CallFailure, at: string): CommandFailure {
  const { error, method, timeoutMs } = failure;
  const details = printable(error.details, 300);
  if (error.code === grpc.status.UNAUTHENTICATED && failure.hasToken)
    return new CommandFailure(
      `${at}: the node does not take the token.`,
      'Is it in its token-file or of its JWT issuer, not expired, and sent over TLS? The node logs why: authentication.failed.',
    );
  switch (error.code) {
    case grpc.status.PERMISSION_DENIED:
    case grpc.status.UNAUTHENTICATED:
      return new CommandFailure(
        `${at}: permission denied for ${method}.`,
        `It needs ${roleFor(method)}. ${howToHoldIt(failure)}, or the admin socket of the node.`,
      );
    case grpc.status.UNIMPLEMENTED:
      return new CommandFailure(
        `${at}: does not know ${method}.`,
        'It is no Selvedge node, or one of another version than this program.',
      );
    case grpc.status.FAILED_PRECONDITION:
    case grpc.status.NOT_FOUND:
      return new CommandFailure(textOf(error.details));
    case grpc.status.INVALID_ARGUMENT:
      return usageFailure(textOf(error.details));
    case grpc.status.DEADLINE_EXCEEDED:
      return new CommandFailure(`${at}: no answer within ${timeoutMs / 1_000} s.`, '--timeout waits longer.');
    default:
      return new CommandFailure(`${at}: ${method} failed: ${grpc.status[error.code] ?? error.code}: ${details}.`);
  }
}

const MAX_LINES = 200;
const MAX_LINE_LENGTH = 2_000;

/** What stands in the way, as the node says it: the lines of a file to edit keep their form. */
function textOf(details: string): string {
  return details
    .split('\n', MAX_LINES)
    .map(line => printable(line, MAX_LINE_LENGTH))
    .join('\n');
}

function howToHoldIt({ hasToken, hasCertificate, address }: CallFailure): string {
  if (hasToken) return 'Use a token that gives it';
  if (hasCertificate || address.kind === 'unix') return 'Use a certificate that holds it';
  return 'Give --tls-cert and --tls-key, or --token-file';
}

function roleFor(method: string): string {
  return /\/(?:Drain|ReloadTls|(?:Add|Drain|Remove|Terminate)Node)$/.test(method)
    ? 'the role admin'
    : 'the role admin or observer';
}
