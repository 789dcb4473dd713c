import type { CredentialSpec } from '../../src/credentials/open-credential-source.ts';
import { parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import type { TlsSettings } from '../../src/node/node-settings.ts';

const NO_CREDENTIALS: CredentialSpec = { kind: 'files', certFile: '', keyFile: '', caFiles: [], crlFiles: [] };

/** Settings of a strict node that admits anybody of its CA, with these changes. */
export function tlsSettings(changes: Partial<TlsSettings> = {}): TlsSettings {
  return {
    mode: 'strict',
    requireClientAuth: true,
    allowedSubjectNames: parsePatterns(['*']),
    serverSubjectNames: [],
    nodeIdentity: undefined,
    minVersion: 'TLSv1.3',
    deniedCertificates: [],
    handshakeTimeoutMs: 5_000,
    withdrawalGraceMs: 5_000,
    sniffTimeoutMs: 5_000,
    canary: true,
    refuseDowngrade: false,
    refreshIntervalMs: 3_600_000,
    serverCredentials: NO_CREDENTIALS,
    clientCredentials: NO_CREDENTIALS,
    profiles: [],
    ...changes,
  };
}
