import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PemPair } from '../../src/dev-pki/signer.ts';
import { CERT_FILE, KEY_FILE, renameOver } from './writing-styles.ts';

/** Whoever makes certificates for one node. */
export interface PairSource {
  issue(validity?: { readonly notAfter: Date }): Promise<PemPair>;
  /** The same names, by a CA that the node does not trust. */
  issueByStranger(): Promise<PemPair>;
}

/** A set of credentials that no node may take. */
export interface BrokenSet {
  readonly kind: string;
  /** What the node says of it in `tls.reload_failed`. */
  readonly says: RegExp;
  write(directory: string, source: PairSource): Promise<void>;
}

const garbage: BrokenSet = {
  kind: 'garbage',
  says: /holds no certificate/,
  write: directory => writeFile(join(directory, CERT_FILE), 'no certificate, and not even PEM\n'.repeat(20)),
};

const empty: BrokenSet = {
  kind: 'empty',
  says: /is empty/,
  write: directory => writeFile(join(directory, CERT_FILE), ''),
};

const missing: BrokenSet = {
  kind: 'missing',
  says: /is missing/,
  write: directory => rm(join(directory, KEY_FILE)),
};

const mismatched: BrokenSet = {
  kind: 'mismatched',
  says: /does not belong to/,
  write: async (directory, source) => {
    const { certPem } = await source.issue();
    const { keyPem } = await source.issue();
    await renameOver(directory, { certPem, keyPem });
  },
};

const expired: BrokenSet = {
  kind: 'expired',
  says: /expired on/,
  write: async (directory, source) =>
    renameOver(directory, await source.issue({ notAfter: new Date(Date.now() - 60_000) })),
};

const wrongCa: BrokenSet = {
  kind: 'wrong CA',
  says: /trust anchors/,
  write: async (directory, source) => renameOver(directory, await source.issueByStranger()),
};

export const BROKEN_SETS: readonly BrokenSet[] = [garbage, empty, missing, mismatched, expired, wrongCa];
