import type { CredentialSpec } from '../../src/credentials/open-credential-source.ts';
import { parsePatterns } from '../../src/identity/subject-name-pattern.ts';
import type { NodeSettings, TlsSettings } from '../../src/node/node-settings.ts';
import { resolveOrThrow } from '../../src/node/reload-options.ts';

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
    plaintextDeadline: undefined,
    refreshIntervalMs: 3_600_000,
    serverCredentials: NO_CREDENTIALS,
    clientCredentials: NO_CREDENTIALS,
    profiles: [],
    ...changes,
  };
}

/** Settings of a node with these TLS settings, everything else by default. */
export function nodeSettings(changes: Partial<TlsSettings> = {}): NodeSettings {
  const { settings } = resolveOrThrow({ clusterName: 'dev', nodeName: 'node-1', dataDir: '/nowhere' });
  const tls = tlsSettings(changes);
  return { ...settings, mode: tls.mode, tls };
}
