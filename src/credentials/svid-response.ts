import { messageOf } from '../errors/selvedge-error.ts';
import { eachDer } from '../identity/der-reader.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { toPem } from '../identity/pem.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import type { X509SvidResponse } from '../rpc/workload-api.ts';
import { printable } from '../telemetry/logger.ts';
import { type CredentialReading, FileContent } from './credential-bytes.ts';
import type { Findings } from './own-certificate.ts';
import { readTrustAnchors } from './trust-anchors.ts';

/** What came over the socket has no permissions; this is the mode of what nobody else may read. */
const PRIVATE_MODE = 0o600;
/** Of each foreign trust domain; as many as nobody needs. */
const MAX_FEDERATED_ROOTS = 256;
/** A trust domain is foreign or ours, never both. */
type Bundles = readonly FileContent[];

class UnusableResponse extends Error {}

/**
 * The set of credentials of an answer of the Workload API: its first SVID, which is the default identity (SPIFFE Workload
 * API 5.3), and as trust anchors the bundles, each for its own trust domain alone. A mandatory part that is missing or
 * does not fit the others makes the whole answer a problem (SPIFFE Workload API 4.5). Federated bundles come from others:
 * one that cannot be used, such as one with more than 256 certificates, is left out with a warning.
 *
 * @param place names the source in problems and warnings.
 */
export function readSvidResponse(response: X509SvidResponse, place: string): CredentialReading {
  try {
    return readUsable(response, place);
  } catch (error) {
    return { ok: false, problems: [{ file: place, problem: messageOf(error) }] };
  }
}

function readUsable({ svids, crl, federatedBundles }: X509SvidResponse, place: string): CredentialReading {
  const [svid] = svids;
  if (svid === undefined) throw new UnusableResponse('the answer holds no SVID');
  const id = parseSpiffeId(svid.spiffeId);
  if (id === undefined) throw new UnusableResponse(`"${printable(svid.spiffeId)}" is not a SPIFFE ID`);
  if (svid.x509SvidKey.length === 0) throw new UnusableResponse('the SVID has no key');
  const chain = certificatesOf(svid.x509Svid, 'the SVID');
  const [leaf] = chain;
  if (leaf === undefined) throw new UnusableResponse('the SVID holds no certificate');
  const { spiffeId } = readPeerIdentity(leaf);
  if (spiffeId !== svid.spiffeId)
    throw new UnusableResponse(
      `the SVID is said to be ${svid.spiffeId}, and its certificate names ${spiffeId ?? 'no SPIFFE ID'}`,
    );
  const own = bundleOf(svid.bundle, id.trustDomain, place);
  if (own === undefined) throw new UnusableResponse(`the bundle of our own trust domain ${id.trustDomain} is empty`);
  const federated = federatedOf(federatedBundles, id.trustDomain, place);
  return {
    ok: true,
    bytes: {
      cert: pemContent(place, chain),
      key: new FileContent(place, PRIVATE_MODE, Buffer.from(toPem('PRIVATE KEY', svid.x509SvidKey))),
      ca: [own, ...federated.bundles],
      crl: crl.map(list => new FileContent(`${place} (CRL)`, PRIVATE_MODE, list)),
    },
    warnings: federated.warnings,
  };
}

function federatedOf(
  federatedBundles: X509SvidResponse['federatedBundles'],
  ownTrustDomain: string,
  place: string,
): { readonly bundles: Bundles; readonly warnings: readonly string[] } {
  const bundles: FileContent[] = [];
  const warnings: string[] = [];
  // Sorted: a map has no order, and another one would look like another set.
  for (const [key, ders] of Object.entries(federatedBundles).sort(([a], [b]) => (a < b ? -1 : 1))) {
    try {
      bundles.push(federatedBundleOf(key, ders, ownTrustDomain, place));
    } catch (error) {
      warnings.push(`${place}: ${messageOf(error)}: it is left out`);
    }
  }
  return { bundles, warnings };
}

/** @throws Error that says why it cannot be used, after the place */
function federatedBundleOf(key: string, ders: Uint8Array, ownTrustDomain: string, place: string): FileContent {
  const id = parseSpiffeId(key.startsWith('spiffe://') ? key : `spiffe://${key}`);
  if (id === undefined || id.path !== '')
    throw new UnusableResponse(`a federated bundle is for "${printable(key)}", which is not a trust domain`);
  // It would let whoever is behind it make members of ours.
  if (id.trustDomain === ownTrustDomain)
    throw new UnusableResponse(`a federated bundle claims our own trust domain ${ownTrustDomain}`);
  const bundle = bundleOf(ders, id.trustDomain, place, MAX_FEDERATED_ROOTS);
  if (bundle === undefined)
    throw new UnusableResponse(`the bundle of the federated trust domain ${id.trustDomain} is empty`);
  const findings: Findings = { problems: [], warnings: [] };
  readTrustAnchors([bundle], new Date(), findings);
  const [found] = findings.problems;
  if (found !== undefined)
    throw new UnusableResponse(`the bundle of the federated trust domain ${id.trustDomain}: ${found.problem}`);
  return bundle;
}

/** Undefined where it is empty. */
function bundleOf(
  ders: Uint8Array,
  trustDomain: string,
  place: string,
  max = Number.POSITIVE_INFINITY,
): FileContent | undefined {
  const certificates = certificatesOf(ders, `the bundle of ${trustDomain}`, max);
  return certificates.length === 0
    ? undefined
    : pemContent(`${place} (bundle of ${trustDomain})`, certificates, trustDomain);
}

function certificatesOf(ders: Uint8Array, what: string, max = Number.POSITIVE_INFINITY): readonly Uint8Array[] {
  const certificates: Uint8Array[] = [];
  try {
    // Not all at once: there may be millions.
    for (const { encoded } of eachDer(ders)) {
      certificates.push(encoded);
      if (certificates.length > max) break;
    }
  } catch (error) {
    throw new UnusableResponse(`${what} is not a row of certificates in DER: ${messageOf(error)}`);
  }
  if (certificates.length > max) throw new UnusableResponse(`${what} holds more than ${max} certificates`);
  return certificates;
}

function pemContent(file: string, ders: readonly Uint8Array[], trustDomain?: string): FileContent {
  const pem = ders.map(der => toPem('CERTIFICATE', der)).join('');
  return new FileContent(file, PRIVATE_MODE, Buffer.from(pem), trustDomain);
}
