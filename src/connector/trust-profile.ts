import type { MinTlsVersion, TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { TcpAddress } from '../identity/address.ts';
import type { DeniedCertificate } from '../identity/denied-certificate.ts';
import { type DestinationPattern, matchesDestination } from '../identity/destination-pattern.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { DialMode } from './dial-target.ts';

/** Which credentials to show, which anchors to trust and whom to expect at some destinations. */
export interface TrustProfile {
  /** For people: `default`, or `profile blue` and so on. */
  readonly name: string;
  /** Empty: every destination. */
  readonly destinations: readonly DestinationPattern[];
  readonly trust: ObservableValue<TrustSnapshot>;
  /** Empty: the dialled host must be in the certificate. */
  readonly serverSubjectNames: readonly SubjectNamePattern[];
  /** The name a member must prove; it replaces the other expectations. Undefined: not checked. */
  readonly nodeIdentity: ((nodeName: string) => SubjectNamePattern) | undefined;
}

/** What this node dials and how; changes while it runs. */
export interface OutboundPolicy {
  readonly mode: DialMode;
  readonly minVersion: MinTlsVersion;
  /** The first that matches a destination wins. Empty where the node has no credentials. */
  readonly profiles: readonly TrustProfile[];
  /** How long calls may go on over a connection whose server may no longer be spoken to. */
  readonly withdrawalGraceMs: number;
  /** Servers that are refused although all else is good. */
  readonly denied: readonly DeniedCertificate[];
}

/** The first that matches the address; one without destinations matches every address. */
export function profileFor<Profile extends Pick<TrustProfile, 'destinations'>>(
  profiles: readonly Profile[],
  address: TcpAddress,
): Profile | undefined {
  return profiles.find(
    ({ destinations }) =>
      destinations.length === 0 || destinations.some(destination => matchesDestination(destination, address)),
  );
}
