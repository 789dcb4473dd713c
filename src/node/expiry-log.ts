import type { ExpiringCertificate } from '../credentials/expiry.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import type { Logger } from '../telemetry/logger.ts';

/** Peers that come and go with a certificate near its end are told of once; that many are remembered for it. */
const MAX_REMEMBERED = 1_000;

/**
 * Says in the log which certificates end before long, each once a level, and which of those were replaced. It remembers
 * what it said of peers when they are gone, so that one that comes back is no news.
 */
export class ExpiryLog {
  readonly #logger: Logger;
  readonly #told = new Map<string, ExpiringCertificate>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What was said and not cleared, by key. */
  get told(): ReadonlyMap<string, ExpiringCertificate> {
    return this.#told;
  }

  /** `tls.certificate_expiring` */
  expiring(key: string, certificate: ExpiringCertificate): void {
    if (this.#told.get(key)?.level === certificate.level) return;
    this.#told.set(key, certificate);
    this.#forgetOldest();
    this.#logger[severityOf(certificate)]('tls.certificate_expiring', fieldsOf(certificate));
  }

  /** `tls.certificate_expiry_cleared`, where something was said before. */
  cleared(key: string): void {
    const certificate = this.#told.get(key);
    if (certificate === undefined) return;
    this.#told.delete(key);
    this.#logger.info('tls.certificate_expiry_cleared', fieldsOf(certificate));
  }

  #forgetOldest(): void {
    if (this.#told.size <= MAX_REMEMBERED) return;
    for (const [key, { usage }] of this.#told) if (usage === 'peer') return void this.#told.delete(key);
  }
}

/** The certificate of a peer is its operator's to replace. */
function severityOf({ usage, level }: ExpiringCertificate): 'info' | 'warn' | 'error' {
  if (level === 'notice') return 'info';
  return level === 'warning' || usage === 'peer' ? 'warn' : 'error';
}

function fieldsOf({ usage, level, identity }: ExpiringCertificate): Record<string, string> {
  return {
    usage,
    // `level` is the severity of a log line.
    expiryLevel: level,
    ...certificateFields(identity),
    expires: identity.notAfter.toISOString(),
  };
}

/** Whether one certificate takes the place of another: it bears the same names and ends later. */
export function replaces(next: PeerIdentity, previous: PeerIdentity): boolean {
  return next.notAfter > previous.notAfter && namesOf(next) === namesOf(previous);
}

function namesOf({ subject, uris, dnsNames, ipAddresses }: PeerIdentity): string {
  return JSON.stringify([subject, uris, dnsNames, ipAddresses]);
}
