import { FileContent } from '../../src/credentials/credential-bytes.ts';
import { buildTrustSnapshot, type TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';

/** One set of credentials; as texts, so that it can be sent to another process. */
export interface CredentialPems {
  readonly certPem: string;
  readonly keyPem: string;
  readonly anchorsPem: string;
}

/** The name that certificates of {@link CredentialIssuer} hold beside `localhost`. */
export const SUBJECT_NAME = 'spiffe://bench/fabric/node';

/** Makes sets of credentials that trust each other; nothing of it lies on disk. */
export class CredentialIssuer {
  readonly #authority: Authority;

  private constructor(authority: Authority) {
    this.#authority = authority;
  }

  static async create(): Promise<CredentialIssuer> {
    return new CredentialIssuer(await createAuthority());
  }

  async issue(): Promise<CredentialPems> {
    const { certPem, keyPem } = await this.#authority.issue({
      commonName: 'node',
      uris: [SUBJECT_NAME],
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
    });
    return { certPem, keyPem, anchorsPem: this.#authority.anchorsPem };
  }

  get anchorsPem(): string {
    return this.#authority.anchorsPem;
  }

  /** A list that revokes these serial numbers, hexadecimal. */
  revoke(serialNumbers: readonly string[]): Promise<string> {
    return this.#authority.createCrl(serialNumbers.map(serialNumber => ({ serialNumber })));
  }
}

let generation = 0;

export function snapshotOf({ certPem, keyPem, anchorsPem }: CredentialPems): TrustSnapshot {
  generation += 1;
  const file = (name: string, text: string) => new FileContent(name, 0o600, Buffer.from(text));
  const bytes = {
    cert: file('node.pem', certPem),
    key: file('node.key', keyPem),
    ca: [file('ca.pem', anchorsPem)],
    crl: [],
  };
  return buildTrustSnapshot(bytes, { generation, now: new Date() });
}
