import type { CredentialProblem } from '../credentials/credential-problem.ts';
import { handshakeWithSelf } from '../credentials/self-handshake.ts';
import type { OwnCertificate, TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { splitPem } from '../identity/pem.ts';
import { type AdmissionQuestion, type AdmissionUsage, fitsQuestion } from '../messaging/admission-question.ts';
import type { AskOptions, PeerAnswer } from '../messaging/ask-peers.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { choosePeers } from './choose-peers.ts';
import type { CredentialTrial } from './credential-set.ts';
import { lostOwnNames } from './own-names.ts';

/** Asks connected peers; in a node, its peer streams. */
export type AskPeers = (question: AdmissionQuestion, options: AskOptions) => Promise<readonly PeerAnswer[]>;

export interface CanaryParts {
  readonly nodeName: string;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'tlsCanary'>;
}

/**
 * How long peers may take to answer. Long for them, and short enough for a new certificate to be in use within two
 * seconds, whoever is silent.
 */
const ANSWER_MS = 1_000;
/** Of a handshake in memory, which takes milliseconds: only a process that is stalled takes so long. */
const HANDSHAKE_MS = 10_000;

/** `reason` is a code of a closed list; `why` has words of the peer beside it. */
type Refusal = { readonly node: string; readonly reason: string; readonly why: string };
type Objection = Pick<CredentialProblem, 'problem' | 'gist'>;

/**
 * Tries a new certificate of this node before it takes the place of the one in use: its names by our own lists, a
 * handshake with ourselves, and the question to some peers whether they would admit it.
 *
 * T1. Nothing is held against a new certificate that the one in use has against it too.
 * T2. Silence is no veto: where no peer answers, the certificate is used.
 * T3. No veto of handshake or peers outlives the certificate in use: near the end of that, the new one is used anyway.
 * T4. A peer that refused a certificate is asked about it again, as long as it is connected: no lucky choice of others
 *     makes up for its no.
 */
export class Canary {
  readonly #parts: CanaryParts;
  /** By usages: who last refused which certificate. */
  readonly #refusers = new Map<string, { readonly fingerprint: string; readonly nodes: ReadonlySet<string> }>();
  /** Until a node has its streams, there is nobody to ask. */
  askPeers: AskPeers = async () => [];

  constructor(parts: CanaryParts) {
    this.#parts = parts;
  }

  /** Why the candidate must not be used; empty: it may. Never rejects. */
  async tryOut(trial: CredentialTrial): Promise<readonly CredentialProblem[]> {
    const { candidate, current, usages, tls } = trial;
    if (usages.length === 0 || candidate.own.chainPem === current.own.chainPem) return [];
    const file = candidate.own.place;
    const identities = { candidate: candidate.own.identity, current: current.own.identity };
    const names = lostOwnNames(this.#parts.nodeName, tls, identities, usages);
    if (names.length > 0) return names.map(problem => ({ file, problem }));
    if (!tls.canary) return [];
    const failures = await failuresWithSelf(trial);
    const problems = failures.length > 0 ? failures.map(problem => ({ problem })) : await this.#problemsOfPeers(trial);
    if (problems.length === 0) return [];
    if (isNearItsEnd(current.own, new Date())) {
      this.#overruled(trial, 'the certificate in use is near its end', problems);
      return [];
    }
    this.#parts.metrics.tlsCanary.inc({ result: 'refused' });
    return problems.map(problem => ({ file, ...problem }));
  }

  async #problemsOfPeers(trial: CredentialTrial): Promise<readonly Objection[]> {
    const { candidate, current, usages } = trial;
    const { logger, metrics } = this.#parts;
    const { fingerprint256: fingerprint } = candidate.own.identity;
    const key = usages.join(' ');
    const last = this.#refusers.get(key);
    const before = last?.fingerprint === fingerprint ? last.nodes : new Set<string>();
    const answers = await this.#ask(candidate.own, usages, nodes => choosePeers(nodes, before));
    const refusals = refusalsOf(answers);
    const standing = await this.#withoutThoseWhoRefuseBoth(refusals, current.own, usages);
    this.#refusers.set(key, { fingerprint, nodes: new Set(standing.map(({ node }) => node)) });
    if (standing.length > 0) return standing.map(objectionOf);

    if (refusals.length > 0) {
      this.#overruled(trial, 'the certificate in use would be refused too', refusals.map(objectionOf));
      return [];
    }
    const admitting = answers.filter(({ answer }) => answer?.judged === true).map(({ node }) => node);
    metrics.tlsCanary.inc({ result: admitting.length > 0 ? 'admitted' : 'unanswered' });
    const facts = { fingerprint, asked: answers.length, admitting };
    if (admitting.length > 0) logger.info('tls.canary_admitted', facts);
    else logger[answers.length > 0 ? 'warn' : 'info']('tls.canary_unanswered', facts);
    return [];
  }

  /** A peer that would refuse the certificate in use as well has nothing to lose by the new one. */
  async #withoutThoseWhoRefuseBoth(
    refusals: readonly Refusal[],
    current: OwnCertificate,
    usages: readonly AdmissionUsage[],
  ): Promise<readonly Refusal[]> {
    if (refusals.length === 0) return [];
    const nodes = refusals.map(({ node }) => node);
    const both = refusalsOf(await this.#ask(current, usages, () => nodes)).map(({ node }) => node);
    return refusals.filter(({ node }) => !both.includes(node));
  }

  async #ask(
    own: OwnCertificate,
    usages: readonly AdmissionUsage[],
    choose: AskOptions['choose'],
  ): Promise<readonly PeerAnswer[]> {
    const [leafDer, ...intermediates] = splitPem(own.chainPem).map(({ der }) => der);
    if (leafDer === undefined || !fitsQuestion([leafDer, ...intermediates])) return [];
    return this.askPeers({ leafDer, intermediates, usages }, { choose, timeoutMs: ANSWER_MS });
  }

  #overruled({ candidate }: CredentialTrial, reason: string, objections: readonly Objection[]): void {
    const { logger, metrics } = this.#parts;
    const problems = objections.map(({ problem }) => problem);
    metrics.tlsCanary.inc({ result: 'overruled' });
    logger.warn('tls.canary_overruled', { fingerprint: candidate.own.identity.fingerprint256, reason, problems });
  }
}

/** Whether less than a tenth of its lifetime is left. */
export function isNearItsEnd({ identity: { notBefore, notAfter } }: OwnCertificate, now: Date): boolean {
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  return notAfter.getTime() - now.getTime() < lifetimeMs / 10;
}

/** What goes wrong between this node and itself that does not with the certificate in use. */
async function failuresWithSelf({
  candidate,
  current,
  server,
  client,
  tls,
}: CredentialTrial): Promise<readonly string[]> {
  if (server === undefined || client === undefined) return [];
  const { minVersion } = tls;
  const failures = await handshakeWithSelf({ server, client, minVersion, timeoutMs: HANDSHAKE_MS });
  if (failures.length === 0) return [];
  const inUse = (snapshot: TrustSnapshot) => (snapshot === candidate ? current : snapshot);
  const before = { server: inUse(server), client: inUse(client), minVersion, timeoutMs: HANDSHAKE_MS };
  return (await handshakeWithSelf(before)).length > 0 ? [] : failures;
}

function objectionOf({ node, reason, why }: Refusal): Objection {
  const would = `${node} would refuse it: `;
  return { problem: would + why, gist: would + reason };
}

function refusalsOf(answers: readonly PeerAnswer[]): readonly Refusal[] {
  return answers
    .flatMap(({ node, answer }) => {
      if (answer === undefined || !answer.judged || answer.admitted) return [];
      const { reason } = answer;
      return [{ node, reason, why: answer.detail === '' ? answer.reason : `${answer.reason}: ${answer.detail}` }];
    })
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}
