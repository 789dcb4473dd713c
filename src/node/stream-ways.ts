import { judgeServer } from '../connector/judge-server.ts';
import { planDials } from '../connector/plan-dials.ts';
import { unexpectedServer } from '../connector/server-expectation.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { Address } from '../identity/address.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { PeerStreamFacts } from '../messaging/stream-facts.ts';
import type { StreamWay } from '../rpc/stream-way.ts';

/** What it follows from what may be sent over a stream. */
export interface StreamWayParts {
  /** What the listener shows. */
  readonly trust: ObservableValue<TrustSnapshot | undefined>;
  readonly outbound: ObservableValue<OutboundPolicy>;
  readonly directory: DialledMembers;
}

/** Who can be dialled and where; in a node, its member directory. */
export interface DialledMembers {
  /** Another value whenever an answer of `member` may have changed. */
  readonly members: ObservableValue<unknown>;
  member(nodeName: string): { readonly addresses: readonly Address[]; readonly tlsOnly?: true } | undefined;
}

type SentFacts = Pick<PeerStreamFacts, 'direction' | 'security' | 'identity'> & {
  /** As the peer last gave it. */
  readonly introduction: Pick<PeerStreamFacts['introduction'], 'nodeName' | 'serverCertificateSha256'>;
};

/** What the two ends of an inbound connection showed each other. */
export interface ShownCertificates {
  /** Of the peer; undefined where it showed nothing. */
  readonly chain: PeerChain | undefined;
  /** Of this node: SHA-256, lowercase hex; undefined where it showed nothing. */
  readonly ownFingerprint256: string | undefined;
}

interface Answer {
  readonly calls: boolean;
  readonly messages: boolean;
  /** Unix milliseconds: from then on it is asked anew. */
  readonly untilMs: number;
  /** Of what is dialled; undefined where nothing is shown there. */
  readonly dialled: ObservableValue<TrustSnapshot> | undefined;
}

const NEITHER: Answer = { calls: false, messages: false, untilMs: Number.POSITIVE_INFINITY, dialled: undefined };

/**
 * What may be sent over one peer stream.
 *
 * W1. No call takes a stream that an ordinary call would not have taken to this peer. Over one that the peer dialled, its
 *     certificate must be good as that of the server that would be dialled, and both sides must have shown there what they
 *     would show each other then: so no call that begins after a rotation depends on a certificate from before it.
 * W2. No call is less protected than an ordinary one: a plaintext stream takes calls only where plaintext is dialled.
 * W3. No call takes a stream whose connection is about to go: an ordinary one would take the next connection.
 * W4. Answers are those of now; they are worked out anew when credentials, profiles or members are others.
 */
export class LiveStreamWay implements StreamWay {
  readonly #facts: SentFacts;
  /** The chain of the peer that dialled is judged as that of a server, beside and apart from the verdict on the client. */
  readonly #shownThere: ShownCertificates | undefined;
  readonly #parts: StreamWayParts;
  readonly #isStaying: () => boolean;
  #answer: Answer | undefined;
  #shown: TrustSnapshot | undefined;
  #outbound: OutboundPolicy | undefined;
  #members: unknown;
  #dialled: TrustSnapshot | undefined;

  /**
   * @param shownThere over the connection under it, where the peer dialled that.
   * @param isStaying whether the connection under the stream is one on which new calls begin.
   */
  constructor(
    facts: SentFacts,
    shownThere: ShownCertificates | undefined,
    parts: StreamWayParts,
    isStaying: () => boolean,
  ) {
    this.#facts = facts;
    this.#shownThere = shownThere && { ...shownThere, chain: shownThere.chain && { ...shownThere.chain } };
    this.#parts = parts;
    this.#isStaying = isStaying;
  }

  takesCalls(): boolean {
    return this.#isStaying() && this.#isShownStill() && this.#now().calls;
  }

  takesMessages(): boolean {
    return this.#now().messages;
  }

  /** A peer that dialled may have renewed its certificate since. Not part of the answer: it says so as often as it likes. */
  #isShownStill(): boolean {
    const { direction, identity, introduction } = this.#facts;
    const { serverCertificateSha256 = identity?.fingerprint256 } = introduction;
    return direction === 'outbound' || identity === undefined || identity.fingerprint256 === serverCertificateSha256;
  }

  #now(): Answer {
    const { trust, outbound, directory } = this.#parts;
    const last = this.#answer;
    if (
      last !== undefined &&
      this.#shown === trust.value &&
      this.#outbound === outbound.value &&
      this.#members === directory.members.value &&
      this.#dialled === last.dialled?.value &&
      (last.untilMs === Number.POSITIVE_INFINITY || Date.now() < last.untilMs)
    )
      return last;
    const answer = this.#ask();
    this.#answer = answer;
    this.#shown = trust.value;
    this.#outbound = outbound.value;
    this.#members = directory.members.value;
    this.#dialled = answer.dialled?.value;
    return answer;
  }

  #ask(): Answer {
    const { direction, security, identity, introduction } = this.#facts;
    const { trust, outbound, directory } = this.#parts;
    const member = directory.member(introduction.nodeName);
    const plan = planDials(introduction.nodeName, member?.addresses, outbound.value, member?.tlsOnly);
    const [first] = 'error' in plan ? [] : plan.dials;
    if (first === undefined) return NEITHER;
    // Nothing protects it, and nobody says that something must: the mode ends such streams where it does.
    const unproven = { ...NEITHER, messages: true };
    if (security.kind !== 'mutual_tls')
      return { ...unproven, calls: security.kind === 'none' && first.security.kind === 'none' };
    if (first.security.kind !== 'mutual_tls' || first.target.address.kind !== 'tcp') return unproven;
    if (direction === 'outbound') return { ...unproven, calls: true };

    const { trust: dialled, expectation, denied = [] } = first.security;
    const { host } = first.target.address;
    const messages = identity !== undefined && unexpectedServer(expectation, identity, host) === undefined;
    const own = dialled.value.own.identity.fingerprint256;
    const { chain, ownFingerprint256 } = this.#shownThere ?? {};
    const isOwnOfNow = own === trust.value?.own.identity.fingerprint256 && own === ownFingerprint256;
    if (!isOwnOfNow) return { ...NEITHER, messages, dialled };
    const verdict = judgeServer(chain, { trust: dialled.value, expectation, denied, host }, new Date());
    const untilMs = verdict.ok ? verdict.validUntilMs : Number.POSITIVE_INFINITY;
    return { calls: verdict.ok, messages, untilMs, dialled };
  }
}
