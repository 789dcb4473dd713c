import { CREDENTIAL_SOURCES, type CredentialOptions } from '../node/credential-options.ts';
import { TLS_MODES, TLS_VERSIONS, type TlsOptions, type TlsProfileOptions } from '../node/node-options.ts';
import { type Field, table, tableList, value } from './field.ts';
import { duration, flag, moment, oneOf, path, pathList, socketPath, text, textList } from './value-types.ts';

const profile = tableList<TlsProfileOptions>('profile', {
  name: value('name', text, {
    meaning: 'What it is called in status, logs and metrics, as in `profile blue`.',
    otherwise: 'its place in the list, from 1',
  }),
  destinations: value('destinations', textList, {
    meaning: 'Which dialled addresses the profile is for, such as `https://*.blue.example:*`.',
    otherwise: 'required in each profile',
  }),
  source: value('source', oneOf(CREDENTIAL_SOURCES), {
    meaning:
      'Where these credentials come from. Another source than that of `networking.tls.client` inherits no file from there.',
    otherwise: 'that of `networking.tls.client`',
  }),
  certFile: value('cert-file', path, {
    meaning: 'Certificate shown at these destinations.',
    otherwise: 'that of `networking.tls.client`',
  }),
  keyFile: value('key-file', path, {
    meaning: 'Its private key.',
    otherwise: 'that of `networking.tls.client`',
  }),
  bundleFile: value('bundle-file', path, {
    meaning: 'With the source `bundle`: certificate chain and private key in one file.',
    otherwise: 'that of `networking.tls.client`',
  }),
  directory: value('directory', path, {
    meaning: 'With the source `directory`: the directory that holds them.',
    otherwise: 'that of `networking.tls.client`',
  }),
  workloadApiSocket: value('workload-api-socket', socketPath, {
    meaning: 'With the source `spiffe` or `auto`: where the agent listens.',
    otherwise: 'that of `networking.tls.client`, or of `SPIFFE_ENDPOINT_SOCKET`',
  }),
  caFiles: value('ca-file', pathList, {
    meaning: 'Trust anchors for these destinations.',
    otherwise: 'that of `networking.tls.client`',
  }),
  crlFiles: value('crl-file', pathList, {
    meaning: 'Revocation lists for these destinations.',
    otherwise: 'that of `networking.tls.client`',
  }),
  serverSubjectNames: value('server-subject-names', textList, {
    meaning: 'Who may answer at these destinations. Empty: the dialled host must be in the certificate.',
    otherwise: 'that of `networking.tls`',
  }),
  nodeIdentity: value('node-identity', text, {
    meaning:
      'The name that a member at these destinations must prove, in both directions, with `{node-name}` in it. Empty: not checked for them.',
    otherwise: 'that of `networking.tls`',
  }),
});

const client = table<CredentialOptions>('client', {
  source: value('source', oneOf(CREDENTIAL_SOURCES), {
    meaning:
      'Where these credentials come from. Another source than that of `networking.tls` inherits no file from there.',
    otherwise: 'that of `networking.tls`',
  }),
  certFile: value('cert-file', path, {
    meaning: 'Certificate shown when this node dials.',
    otherwise: 'that of `networking.tls`',
  }),
  keyFile: value('key-file', path, { meaning: 'Its private key.', otherwise: 'that of `networking.tls`' }),
  bundleFile: value('bundle-file', path, {
    meaning: 'With the source `bundle`: certificate chain and private key in one file.',
    otherwise: 'that of `networking.tls`',
  }),
  directory: value('directory', path, {
    meaning: 'With the source `directory`: the directory that holds them.',
    otherwise: 'that of `networking.tls`',
  }),
  workloadApiSocket: value('workload-api-socket', socketPath, {
    meaning: 'With the source `spiffe` or `auto`: where the agent listens.',
    otherwise: 'that of `networking.tls`, or of `SPIFFE_ENDPOINT_SOCKET`',
  }),
  caFiles: value('ca-file', pathList, {
    meaning: 'Trust anchors for servers that this node dials.',
    otherwise: 'that of `networking.tls`',
  }),
  crlFiles: value('crl-file', pathList, {
    meaning: 'Revocation lists for servers that this node dials.',
    otherwise: 'that of `networking.tls`',
  }),
});

/** `[networking.tls]` and what is below it. */
export const tls: Field<TlsOptions> = table<TlsOptions>('tls', {
  mode: value('mode', oneOf(TLS_MODES), {
    meaning: 'Whether the node speaks plaintext (`plain`), both (`optional`) or mutual TLS alone (`strict`).',
    otherwise: '`"strict"`; without this table `"plain"`',
  }),
  source: value('source', oneOf(CREDENTIAL_SOURCES), {
    meaning:
      'Where the credentials come from: a file each, one file for chain and key, a directory that another program fills, the SPIFFE Workload API, or the first of the well-known places.',
    default: '"files"',
  }),
  certFile: value('cert-file', path, {
    meaning: 'PEM: the certificate of the node first, then the intermediates.',
    otherwise: 'required with the source `files`',
  }),
  keyFile: value('key-file', path, {
    meaning: 'PEM: its private key. Should not be readable by others.',
    otherwise: 'required with the source `files`',
  }),
  bundleFile: value('bundle-file', path, {
    meaning: 'PEM: certificate chain and private key, in any order. Should not be readable by others.',
    otherwise: 'required with the source `bundle`',
  }),
  directory: value('directory', path, {
    meaning: 'Holds `tls.crt`, `tls.key` and `ca.crt`, or `svid.pem`, `svid_key.pem` and `svid_bundle.pem`.',
    otherwise: 'required with the source `directory`',
  }),
  workloadApiSocket: value('workload-api-socket', socketPath, {
    meaning:
      'The SPIFFE Workload API: `unix:///path` or a path. Required with the source `spiffe`; with `auto` the first place that is looked at.',
    otherwise: 'that of the environment variable `SPIFFE_ENDPOINT_SOCKET`',
  }),
  caFiles: value('ca-file', pathList, {
    meaning: 'PEM: the trust anchors; each file may be a bundle.',
    otherwise:
      'required with the sources `files` and `bundle`; with `directory` what lies in it; with `spiffe` none beside the bundles of the agent',
  }),
  crlFiles: value('crl-file', pathList, {
    meaning: 'Revocation lists, evaluated for each issuer that has one.',
    default: '[]',
  }),
  requireClientAuth: value('require-client-auth', flag, {
    meaning: 'Whether a TLS client must show a certificate. Without one it is `anonymous`.',
    default: 'true',
  }),
  allowedSubjectNames: value('allowed-subject-names', textList, {
    meaning: 'Subject-name patterns of who may connect as `peer`. `["*"]`: any certificate of the CA.',
    otherwise: 'required when `require-client-auth`',
  }),
  serverSubjectNames: value('server-subject-names', textList, {
    meaning: 'Who may answer when this node dials. Empty: the dialled host must be in the certificate.',
    default: '[]',
  }),
  deniedCertificates: value('denied-certificates', textList, {
    meaning:
      'Refused in both directions although the CA vouches for them, also on open connections: `sha256:FINGERPRINT` or `serial:NUMBER` (of any CA) of the certificate or of a CA certificate that vouches for it, or a subject-name pattern.',
    default: '[]',
  }),
  nodeIdentity: value('node-identity', text, {
    meaning:
      'The name that a node called X must prove, in both directions, with `{node-name}` in it: `uri:spiffe://dev/fabric/{node-name}`. For members it replaces the host check.',
    otherwise: 'not checked',
  }),
  minVersion: value('min-version', oneOf(TLS_VERSIONS), {
    meaning: 'The oldest TLS version that is spoken.',
    default: '"1.3"',
  }),
  handshakeTimeoutMs: value('handshake-timeout', duration, {
    meaning: 'Deadline of an inbound TLS handshake.',
    default: '"5s"',
  }),
  sniffTimeoutMs: value('sniff-timeout', duration, {
    meaning: 'Deadline of the first bytes of an inbound connection.',
    default: '"5s"',
  }),
  withdrawalGraceMs: value('withdrawal-grace', duration, {
    meaning:
      'How long calls may go on over a connection whose certificate is no longer trusted or allowed, or expires; then they are cut, with the reason.',
    default: '"5s"',
  }),
  canary: value('canary', flag, {
    meaning:
      'Before a new certificate of this node is used, it is tried: by a handshake of the node with itself, and by asking up to three connected peers whether they would admit it. If not, the old one stays.',
    default: 'true',
  }),
  refuseDowngrade: value('refuse-downgrade', flag, {
    meaning:
      'In `optional` mode: with a member that spoke mutual TLS nothing is spoken in plaintext, in neither direction, until the membership source lists `http` for it anew or it says over mutual TLS that it goes back.',
    default: 'false',
  }),
  plaintextDeadline: value('plaintext-deadline', moment, {
    meaning:
      'Only in `optional` mode: from this time on the node is strict, as soon as nothing stands in the way of that.',
    otherwise: 'none',
  }),
  refreshIntervalMs: value('refresh-interval', duration, {
    meaning: 'The credentials are read again this often, even when no change was seen.',
    default: '"1h"',
  }),
  client,
  profiles: profile,
});
