import { X509Certificate } from 'node:crypto';
import { messageOf } from '../errors/selvedge-error.ts';
import { readCertificateFacts } from '../identity/certificate-facts.ts';
import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import { trustDomainOf } from '../identity/spiffe-id.ts';
import type { FileContent } from './credential-bytes.ts';
import { certificateBlocksOf, type Findings } from './own-certificate.ts';
import { isExpired } from './validity.ts';

/** A CA this node trusts. */
export interface TrustAnchor {
  readonly identity: PeerIdentity;
  readonly certificate: X509Certificate;
  /** The SPIFFE trust domain it vouches for and no other; undefined: it vouches for anybody. */
  readonly trustDomain: string | undefined;
}

/**
 * The anchors that may vouch for who a certificate says it is. An anchor of one trust domain says nothing about another
 * one, so that a federated domain cannot make itself a member of ours (SPIFFE Federation 7.1).
 */
export function anchorsFor(identity: PeerIdentity, anchors: readonly TrustAnchor[]): readonly TrustAnchor[] {
  const trustDomain = identity.spiffeId === undefined ? undefined : trustDomainOf(identity.spiffeId);
  return anchors.filter(anchor => anchor.trustDomain === undefined || anchor.trustDomain === trustDomain);
}

/**
 * Every distinct certificate of the CA files. A file without one, one that does not parse, and no file at all are
 * problems; an anchor that cannot vouch for anybody now is a warning.
 */
export function readTrustAnchors(files: readonly FileContent[], now: Date, findings: Findings): TrustAnchor[] {
  const anchors = new Map<string, TrustAnchor>();
  for (const content of files) {
    try {
      const ders = certificateBlocksOf(content);
      if (ders.length === 0)
        findings.problems.push({ file: content.file, problem: 'holds no certificate in PEM form' });
      for (const der of ders) {
        const { trustDomain } = content;
        const anchor = { identity: readPeerIdentity(der), certificate: new X509Certificate(der), trustDomain };
        const key = `${anchor.certificate.fingerprint256} ${trustDomain ?? ''}`;
        if (anchors.has(key)) continue;
        anchors.set(key, anchor);
        findings.warnings.push(...warningsOfAnchor(content.file, anchor, now));
      }
    } catch (error) {
      findings.problems.push({ file: content.file, problem: messageOf(error) });
    }
  }
  if (files.length === 0) findings.problems.push({ file: '', problem: 'no CA file is named: nobody could be trusted' });
  return [...anchors.values()];
}

function warningsOfAnchor(file: string, { identity, certificate }: TrustAnchor, now: Date): string[] {
  const name = `${file}: the CA certificate ${identity.subject}`;
  const warnings: string[] = [];
  if (isExpired(certificate, now))
    warnings.push(`${name} expired on ${certificate.validTo}: nobody it vouches for gets in`);
  if (!canIssue(certificate)) warnings.push(`${name} is not one of a CA: it vouches for nobody but itself`);
  if (!certificate.checkIssued(certificate))
    warnings.push(`${name} is not self-signed: it vouches for nobody unless its issuer is a trust anchor too`);
  return warnings;
}

/** Whether an anchor may sign certificates. A certificate of version 1 cannot say so and is believed (RFC 5280 6.1.4 k). */
export function canIssue(anchor: X509Certificate): boolean {
  return anchor.ca || readCertificateFacts(anchor.raw).version === 1;
}
