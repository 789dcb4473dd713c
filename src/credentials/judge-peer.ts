import { X509Certificate } from 'node:crypto';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { type CertificateFacts, readCertificateFacts } from '../identity/certificate-facts.ts';
import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import { printable } from '../telemetry/logger.ts';
import { type CertificatePath, findPaths, vouchersOf } from './certificate-path.ts';
import { allowsUsage, type PeerUsage } from './certificate-usage.ts';
import { opensslReason } from './openssl-reason.ts';
import { bytesOf, keepUseful, MAX_CHAIN_BYTES, type PeerChain } from './peer-chain.ts';
import { anchorsFor, type TrustAnchor } from './trust-anchors.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';
import { endOfValidity, isExpired, isNotYetValid } from './validity.ts';

export type { PeerUsage } from './certificate-usage.ts';
export { type PeerChain, readPeerChain } from './peer-chain.ts';

export type PeerVerdict =
  | {
      readonly ok: true;
      readonly identity: PeerIdentity;
      /** When the last good path to an anchor ends with one of its certificates, in Unix milliseconds: from then on it is no. */
      readonly validUntilMs: number;
    }
  | {
      readonly ok: false;
      readonly reason: RefusalReason;
      /** Why, for the log. Says nothing about what would be allowed. */
      readonly detail: string;
      /** Who the certificate claims to be, unproven; undefined where there is none or it could not be read. */
      readonly identity: PeerIdentity | undefined;
    };

interface Search {
  readonly leaf: ParsedCertificate;
  readonly paths: readonly CertificatePath[];
}

type Yes = Extract<PeerVerdict, { ok: true }>;

/** The last yes to each chain: most reloads change neither anchors nor lists, and all open connections are asked again. */
const lastYes = new WeakMap<PeerChain, { readonly question: string; readonly since: Date; readonly verdict: Yes }>();

/** The newest search: a chain that is judged for both usages in turn is searched once. One, since parsed chains are large. */
let lastSearch: { readonly peer: PeerChain; readonly trustHash: string; readonly search: Search } | undefined;

/**
 * The one verdict on a peer's certificate, inbound (`client`) and outbound (`server`). It is yes only if OpenSSL found
 * nothing wrong *and* a path of valid, unrevoked certificates leads to an anchor of the snapshot *and* the leaf is an
 * X.509 v3 end-entity certificate meant for this use. Names are the next question, not this one. An unknown CA wins
 * over every other flaw: what a stranger's certificate says of itself is no news.
 *
 * A yes is remembered with `peer` and given again until it ends, as long as anchors and CRLs are the same; the first one
 * rids `peer` of the certificates that vouched for nothing.
 *
 * @param peer undefined: no certificate was presented.
 * @param usage what the peer is on this connection.
 */
export function judgePeerCertificate(
  peer: PeerChain | undefined,
  snapshot: TrustSnapshot,
  usage: PeerUsage,
  now: Date,
): PeerVerdict {
  if (peer === undefined) return refused('no_certificate', 'no certificate was presented');
  const question = `${usage} ${snapshot.trustHash}`;
  const last = lastYes.get(peer);
  if (last?.question === question && last.since <= now && now.getTime() < last.verdict.validUntilMs)
    return last.verdict;
  const verdict = judgeChain(peer, snapshot, usage, now);
  if (verdict.ok) lastYes.set(peer, { question, since: now, verdict });
  return verdict;
}

/** Who the last yes to a chain was said to; undefined where none was said yet. */
export function provenIdentity(peer: PeerChain): PeerIdentity | undefined {
  return lastYes.get(peer)?.verdict.identity;
}

/**
 * The certificates that a verdict follows from, the leaf first: those of the first good path, else of the shortest one.
 * Undefined where no anchor vouches for the leaf, or it cannot be read.
 */
export function decidingPath(
  peer: PeerChain,
  snapshot: TrustSnapshot,
  usage: PeerUsage,
  now: Date,
): CertificatePath | undefined {
  const search = bytesOf(peer) > MAX_CHAIN_BYTES ? undefined : searchPaths(peer, snapshot);
  if (search === undefined || typeof search === 'string') return undefined;
  return search.paths.find(path => flawOfPath(path, snapshot, usage, now) === undefined) ?? search.paths[0];
}

function judgeChain(peer: PeerChain, snapshot: TrustSnapshot, usage: PeerUsage, now: Date): PeerVerdict {
  if (bytesOf(peer) > MAX_CHAIN_BYTES)
    return refused('malformed_certificate', `it comes in a chain of more than ${MAX_CHAIN_BYTES} bytes`);
  const search = searchPaths(peer, snapshot);
  if (typeof search === 'string') return refused('malformed_certificate', search);
  const { leaf, paths } = search;
  const [shortest] = paths;
  if (shortest === undefined)
    return refused(
      'unknown_ca',
      `no trust anchor vouches for it; its issuer is ${leaf.identity.issuer}`,
      leaf.identity,
    );
  const flaws = paths.map(path => flawOfPath(path, snapshot, usage, now));
  const good = paths.filter((_, index) => flaws[index] === undefined);
  // During a CA rollover the same leaf may have a good path and one through an expired cross-certificate.
  const pathFlaw = good.length > 0 ? undefined : flaws[0];
  const flaw = pathFlaw ?? flawOfUsage(leaf.facts, usage) ?? flawByOpenssl(peer.authorizationError);
  if (flaw !== undefined) return refused(flaw.reason, flaw.detail, leaf.identity);
  if (!lastYes.has(peer)) keepUseful(peer, paths);
  const identity = { ...leaf.identity, vouchedBy: vouchersOf(good) };
  return { ok: true, identity, validUntilMs: Math.max(...good.map(endOfPath)) };
}

/** What makes the leaf unreadable, where something does. */
function searchPaths(peer: PeerChain, { anchors: all, trustHash }: TrustSnapshot): Search | string {
  if (lastSearch?.peer === peer && lastSearch.trustHash === trustHash) return lastSearch.search;
  const leaf = parseCertificateDer(peer.leafDer);
  if (typeof leaf === 'string') return leaf;
  const anchors = anchorsFor(leaf.identity, all);
  const issuers = peer.chain.flatMap(der => issuerOf(der, anchors));
  const search = { leaf, paths: findPaths(leaf.certificate, issuers, anchors) };
  lastSearch = { peer, trustHash, search };
  return search;
}

interface Flaw {
  readonly reason: RefusalReason;
  readonly detail: string;
}

interface ParsedCertificate {
  readonly certificate: X509Certificate;
  readonly facts: CertificateFacts;
  readonly identity: PeerIdentity;
}

function refused(reason: RefusalReason, detail: string, identity?: PeerIdentity): PeerVerdict {
  return { ok: false, reason, detail, identity };
}

function parseCertificateDer(der: Uint8Array): ParsedCertificate | string {
  try {
    return {
      certificate: new X509Certificate(der),
      facts: readCertificateFacts(der),
      identity: readPeerIdentity(der),
    };
  } catch (error) {
    return printable(messageOf(error));
  }
}

/** One that cannot be parsed vouches for nobody. An anchor needs no presenting, and OpenSSL lists it with every chain. */
function issuerOf(der: Uint8Array, anchors: readonly TrustAnchor[]): X509Certificate[] {
  if (anchors.some(({ certificate }) => certificate.raw.equals(der))) return [];
  const issuer = parseCertificateDer(der);
  return typeof issuer === 'string' ? [] : [issuer.certificate];
}

/** A path ends with the first of its certificates that does. */
function endOfPath(path: CertificatePath): number {
  return Math.min(...path.map(endOfValidity));
}

function flawOfPath(path: CertificatePath, snapshot: TrustSnapshot, usage: PeerUsage, now: Date): Flaw | undefined {
  for (const [depth, certificate] of path.entries()) {
    const what = depth === 0 ? 'the certificate' : `the CA certificate ${subjectOf(certificate)}`;
    if (isExpired(certificate, now))
      return { reason: 'certificate_expired', detail: `${what} expired on ${certificate.validTo}` };
    if (isNotYetValid(certificate, now))
      return { reason: 'certificate_not_yet_valid', detail: `${what} is not valid before ${certificate.validFrom}` };
    const issuer = path[depth + 1];
    if (issuer !== undefined && snapshot.revocations.isRevoked(certificate, issuer))
      return { reason: 'certificate_revoked', detail: `${what} was revoked by ${subjectOf(issuer)}` };
    // An intermediate's extended key usage limits what it may vouch for; the anchor's was ours to choose.
    if (depth > 0 && issuer !== undefined && !allowsUsage(readCertificateFacts(certificate.raw), usage))
      return { reason: 'wrong_key_usage', detail: `${what} may not vouch for a ${usage}` };
  }
  return undefined;
}

function flawOfUsage(facts: CertificateFacts, usage: PeerUsage): Flaw | undefined {
  const flaw = (detail: string): Flaw => ({ reason: 'wrong_key_usage', detail });
  if (facts.version !== 3) return flaw(`the certificate is X.509 version ${facts.version}, which cannot limit its use`);
  if (facts.isCa) return flaw('the certificate is that of a CA');
  if (facts.keyUsages?.includes('keyCertSign')) return flaw('the certificate may sign certificates');
  if (!allowsUsage(facts, usage)) return flaw(`the extended key usage does not allow a TLS ${usage}`);
  return undefined;
}

function flawByOpenssl(code: string | undefined): Flaw | undefined {
  return code === undefined ? undefined : { reason: opensslReason(code), detail: `OpenSSL says ${printable(code)}` };
}

function subjectOf(certificate: X509Certificate): string {
  return readPeerIdentity(certificate.raw).subject;
}
