import { decideByRole } from '../authorization/method-rules.ts';
import { judgeServer } from '../connector/judge-server.ts';
import { namesToProve } from '../connector/names-to-prove.ts';
import { planDials } from '../connector/plan-dials.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import { judgePeerCertificate, type PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { Address } from '../identity/address.ts';
import { matchIdentity } from '../identity/match-identity.ts';
import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import type { Admit } from '../listener/listener-policy.ts';
import type { AdmissionAnswer, AdmissionQuestion, AdmissionUsage } from '../messaging/admission-question.ts';
import { connectMethod } from '../messaging/frame.ts';
import { proofOf } from './node-proof.ts';

/** What an answer follows from, all of this moment. */
export interface AdmissionStandard {
  /** Whom the listener trusts. */
  readonly trust: TrustSnapshot | undefined;
  readonly admit: Admit;
  readonly outbound: OutboundPolicy;
  /** Of the member that asks; undefined where it is none. */
  readonly addresses: readonly Address[] | undefined;
  readonly now: Date;
}

const UNSAID: AdmissionAnswer = { judged: false };
const ADMITTED: AdmissionAnswer = { judged: true, admitted: true };

/** Reasons whose details speak of the certificate alone, and not of who would be allowed or is denied. */
const TELLABLE: readonly RefusalReason[] = [
  'unknown_ca',
  'certificate_expired',
  'certificate_not_yet_valid',
  'wrong_key_usage',
  'malformed_certificate',
];

/**
 * What this node answers to the node `nodeName`, known by `identity`, that asks whether it would be admitted with another
 * chain: the verdict of a handshake now, where it dials as where it is dialled. It says nothing about certificates that
 * are not those of the one who asks: with `node-identity` they must bear its name, else share a name with the one that it
 * shows now.
 */
export function judgeAdmission(
  nodeName: string,
  identity: PeerIdentity | undefined,
  { leafDer, intermediates, usages }: AdmissionQuestion,
  standard: AdmissionStandard,
): AdmissionAnswer {
  const asked = tryReadIdentity(leafDer);
  if (asked === undefined) return refused('malformed_certificate', 'it cannot be read');
  const names = namesToProve(nodeName, standard.addresses, standard.outbound);
  if (names !== undefined && matchIdentity(names, asked) === undefined)
    return refused('node_identity_mismatch', `it does not prove ${nodeName}`);
  if (names === undefined && !shareName(identity, asked)) return UNSAID;

  const chain: PeerChain = { leafDer, chain: intermediates, authorizationError: undefined };
  const answers = usages.map(usage => judgeAs(usage, nodeName, chain, standard));
  const refusal = answers.find(answer => answer.judged && !answer.admitted);
  return refusal ?? answers.find(answer => answer.judged) ?? UNSAID;
}

function judgeAs(
  usage: AdmissionUsage,
  nodeName: string,
  chain: PeerChain,
  standard: AdmissionStandard,
): AdmissionAnswer {
  return usage === 'client' ? judgeAsClient(nodeName, chain, standard) : judgeAsServer(nodeName, chain, standard);
}

/** As the listener does, the call that opens a stream, and the Hello on it. */
function judgeAsClient(nodeName: string, chain: PeerChain, standard: AdmissionStandard): AdmissionAnswer {
  const { trust, admit, now, outbound, addresses } = standard;
  if (trust === undefined) return UNSAID;
  const verdict = judgePeerCertificate(chain, trust, 'client', now);
  if (!verdict.ok) return refused(verdict.reason, verdict.detail);
  const admission = admit(verdict.identity, { kind: 'mutual_tls', protocol: '', cipher: '' });
  if (!admission.admitted) return refused(admission.reason, admission.detail);
  if (!decideByRole(admission, connectMethod.path, true).allowed) return refused('subject_not_allowed', '');
  const proof = proofOf({ name: nodeName, addresses }, verdict.identity, 'mutual_tls', {
    outbound,
    anchors: trust.anchors,
  });
  return proof.ok ? ADMITTED : refused('node_identity_mismatch', '');
}

/** As the connector does, at the address that it dials first. */
function judgeAsServer(nodeName: string, chain: PeerChain, standard: AdmissionStandard): AdmissionAnswer {
  const plan = planDials(nodeName, standard.addresses, standard.outbound);
  const planned = 'error' in plan ? undefined : plan.dials.find(({ security }) => security.kind === 'mutual_tls');
  if (planned?.security.kind !== 'mutual_tls' || planned.target.address.kind !== 'tcp') return UNSAID;
  const { trust, expectation, denied = [] } = planned.security;
  const { host } = planned.target.address;
  const verdict = judgeServer(chain, { trust: trust.value, expectation, denied, host }, standard.now);
  return verdict.ok ? ADMITTED : refused(verdict.reason, verdict.detail);
}

function refused(reason: RefusalReason, detail: string): AdmissionAnswer {
  return { judged: true, admitted: false, reason, detail: TELLABLE.includes(reason) ? detail : '' };
}

function tryReadIdentity(der: Uint8Array): PeerIdentity | undefined {
  try {
    return readPeerIdentity(der);
  } catch {
    return undefined;
  }
}

function shareName(one: PeerIdentity | undefined, other: PeerIdentity): boolean {
  const names = new Set(one === undefined ? [] : namesOf(one));
  return namesOf(other).some(name => names.has(name));
}

function namesOf({ commonName, dnsNames, uris, ipAddresses }: PeerIdentity): readonly string[] {
  return [
    ...(commonName === undefined ? [] : [`cn:${commonName}`]),
    ...dnsNames.map(name => `dns:${name}`),
    ...uris.map(uri => `uri:${uri}`),
    ...ipAddresses.map(address => `ip:${address}`),
  ];
}
