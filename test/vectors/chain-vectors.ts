import { existsSync, readFileSync } from 'node:fs';
import { type CredentialBytes, FileContent } from '../../src/credentials/credential-bytes.ts';
import type { IssuedCertificate } from '../../src/dev-pki/issue.ts';

/** One chain of `x509-client-chains.json` or `x509-server-chains.json`; PEM texts. */
export interface ChainCase {
  readonly id: string;
  readonly expect: 'accept' | 'reject';
  readonly tier: string;
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly peer_key: string | null;
  readonly validation_time: string | null;
  readonly peer_name: { readonly kind: string; readonly value: string } | null;
  readonly crls: readonly string[];
}

/** How a case went, in a word for the report: `accept`, or why not. */
export type Outcome = 'accept' | `reject: ${string}`;

/** The file in the folder of shared vectors, or undefined where that is absent. */
export function findVectors(name: string): URL | undefined {
  const file = new URL(`../../../shared/vectors/${name}`, import.meta.url);
  return existsSync(file) ? file : undefined;
}

/** The cases of the two tiers that plain Node can run without moving its clock. */
export function readChainCases(file: URL): { readonly cases: readonly ChainCase[]; readonly skipped: number } {
  const { cases }: { cases: ChainCase[] } = JSON.parse(readFileSync(file, 'utf8'));
  const inTier = cases.filter(({ tier }) => tier === 'must' || tier === 'gap-node-accepts');
  const runnable = inTier.filter(({ validation_time }) => validation_time === null);
  return { cases: runnable, skipped: cases.length - runnable.length };
}

/** Our credentials with the anchors and CRLs of a case. */
export function credentialsFor(own: IssuedCertificate, chainCase: ChainCase): CredentialBytes {
  const file = (name: string, text: string): FileContent => new FileContent(name, 0o600, Buffer.from(text));
  return {
    cert: file('node.pem', own.certPem),
    key: file('node.key', own.keyPem),
    ca: chainCase.trusted_certs.map((pem, index) => file(`ca-${index}.pem`, pem)),
    crl: chainCase.crls.map((pem, index) => file(`ca-${index}.crl`, pem)),
  };
}

/** What the peer of a case shows; it accepts anything from us, so that only our verdict counts. */
export function peerContextOf(chainCase: ChainCase): { cert: string; key: string; ciphers: string } {
  return {
    cert: [chainCase.peer_certificate, ...chainCase.untrusted_intermediates].join('\n'),
    key: chainCase.peer_key ?? '',
    ciphers: 'DEFAULT:@SECLEVEL=0',
  };
}
