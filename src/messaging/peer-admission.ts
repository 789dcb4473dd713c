import type { EndReason } from '../errors/refusal-reason.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { DEFAULT_WEIGHT } from '../identity/node-labels.ts';
import { isNodeName } from '../identity/node-name.ts';
import type { Caller } from '../rpc/caller.ts';
import type { AdmissionAnswer, AdmissionQuestion } from './admission-question.ts';
import type { Downgrades } from './downgrades.ts';
import type { Introduction } from './introduction.ts';
import type { Hello, HelloContext } from './judge-hello.ts';
import { KnownGenerations } from './known-generations.ts';
import type { PeerStreamsParts } from './peer-parts.ts';
import type { PeerStream } from './peer-stream.ts';
import { QuestionBudget } from './question-budget.ts';
import type { PeerStreamFacts } from './stream-facts.ts';

/** Ends after which what the certificate of the peer proved is not believed any more. */
const UNTRUSTED: readonly EndReason[] = ['certificate_revoked', 'unknown_ca'];

export interface PeerAdmissionParts
  extends Pick<PeerStreamsParts, 'self' | 'directory' | 'provesNode' | 'isDenied' | 'withdrawalOf' | 'judgeAdmission'> {
  readonly downgrades: Pick<Downgrades, 'isRefused'>;
  /** The stream of a peer that is open. */
  readonly live: (name: string) => PeerStream | undefined;
  /** Whether no Hello is taken any more. */
  readonly isClosed: () => boolean;
}

/** What counts when a peer wants a stream, while it has one, and when it asks whether it would get one. */
export class PeerAdmission {
  readonly #parts: PeerAdmissionParts;
  readonly #generations = new KnownGenerations();
  readonly #budget = new QuestionBudget();

  constructor(parts: PeerAdmissionParts) {
    this.#parts = parts;
  }

  /** What counts for a Hello. @throws node_closed when none is taken any more. */
  contextOf({ introduction }: Hello, caller: Caller, target: string | undefined): HelloContext {
    const { self, directory, provesNode, withdrawalOf, downgrades, isClosed } = this.#parts;
    const name = introduction.nodeName;
    if (isClosed()) throw new SelvedgeError('node_closed', 'the node is closed', { node: self.value.nodeName });
    return {
      self: self.value,
      target,
      withdrawal: withdrawalOf(caller),
      lists: directory.lists,
      isMember: directory.member(name) !== undefined,
      isRemoved: directory.isRemoved(name),
      proof: provesNode(name, caller.identity, caller.security),
      downgrade: downgrades.isRefused(name, caller.security),
      knownGeneration: this.knownGeneration(name, caller.security.kind === 'mutual_tls'),
    };
  }

  /** What somebody who asks under this name is told of this node: all of it where a Hello would be taken, else as little as anybody. */
  introductionFor(name: string, caller: Caller): Introduction {
    const { self, directory, provesNode, withdrawalOf, downgrades } = this.#parts;
    const { identity, security } = caller;
    const isLetIn =
      isNodeName(name) &&
      !directory.isRemoved(name) &&
      (!directory.lists || directory.member(name) !== undefined) &&
      provesNode(name, identity, security).ok &&
      !downgrades.isRefused(name, security) &&
      withdrawalOf(caller) === undefined;
    return isLetIn ? self.value : inShort(self.value);
  }

  /** Newest generation that counts against a peer whose connection proves who it is, or does not. */
  knownGeneration(name: string, proven: boolean): number | undefined {
    return this.#generations.newestAgainst(name, proven, this.#parts.live(name));
  }

  /** A stream is open. */
  opened({ introduction, generation, identity, security }: PeerStreamFacts): void {
    if (security.kind !== 'mutual_tls') return;
    this.#generations.remember(introduction.nodeName, generation, identity, Date.now());
    this.#generations.trim(name => this.#parts.directory.member(name) !== undefined);
  }

  /** It is over. */
  closed({ identity }: PeerStreamFacts, reason: EndReason): void {
    if (UNTRUSTED.includes(reason))
      this.#generations.forget(({ fingerprint256 }) => fingerprint256 === identity?.fingerprint256);
  }

  /** The rules for proofs are others now: forgets what proves no node any more. */
  review(): void {
    const { isDenied, provesNode } = this.#parts;
    this.#generations.forget((proof, node) => isDenied(proof) || !provesNode(node, proof, { kind: 'mutual_tls' }).ok);
  }

  /** Why an open stream may not stay by the rules of now; undefined where it may. */
  whyNot({ node, identity, security }: PeerStream): EndReason | undefined {
    const { provesNode, downgrades } = this.#parts;
    if (!provesNode(node, identity, security).ok) return 'node_identity_mismatch';
    return downgrades.isRefused(node, security) ? 'downgrade_refused' : undefined;
  }

  /** Answers a peer that asks whether it would be admitted with other certificates. */
  judge({ node, identity }: PeerStream, question: AdmissionQuestion): AdmissionAnswer {
    return this.#budget.take(node) ? this.#parts.judgeAdmission(node, identity, question) : { judged: false };
  }
}

function inShort({ clusterName, nodeName, generation, mode, version }: Introduction): Introduction {
  const unsaid = {
    addresses: [],
    labels: {},
    serverCertificateSha256: undefined,
    zone: undefined,
    weight: DEFAULT_WEIGHT,
  };
  return { clusterName, nodeName, generation, mode, version, ...unsaid };
}
