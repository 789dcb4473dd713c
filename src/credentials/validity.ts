import type { X509Certificate } from 'node:crypto';

/** When the certificate's last second has passed, in Unix milliseconds (RFC 5280 4.1.2.5). */
export function endOfValidity(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo) + 1_000;
}

/** Whether the certificate's last second has passed. */
export function isExpired(certificate: X509Certificate, now: Date): boolean {
  return !(now.getTime() < endOfValidity(certificate));
}

/** Whether the certificate's first second is still to come (RFC 5280 4.1.2.5). */
export function isNotYetValid(certificate: X509Certificate, now: Date): boolean {
  return !(now.getTime() >= Date.parse(certificate.validFrom));
}
