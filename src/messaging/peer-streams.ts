import { isDeepStrictEqual } from 'node:util';
import type { EndReason } from '../errors/refusal-reason.ts';
import { atMost } from '../lifecycle/at-most.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { PacedTurns } from '../lifecycle/paced-turns.ts';
import type { Security } from '../rpc/security.ts';
import type { AdmissionQuestion } from './admission-question.ts';
import { type AskOptions, askPeers, type PeerAnswer } from './ask-peers.ts';
import { countLiveness } from './count-liveness.ts';
import { dialPeer } from './dial-peer.ts';
import { Downgrades } from './downgrades.ts';
import { type FabricService, implementFabric } from './fabric-service.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Introduction } from './introduction.ts';
import { livenessClock, startTicks } from './liveness-ticks.ts';
import { PeerAdmission } from './peer-admission.ts';
import { PeerExchanges } from './peer-exchanges.ts';
import { PeerLink } from './peer-link.ts';
import { PeerLinks } from './peer-links.ts';
import { DEFAULT_HELLO_TIMEOUT_MS, type KnownMember, type PeerStreamsParts } from './peer-parts.ts';
import type { PeerEntry } from './peer-table.ts';
import { RefusalLog } from './refusal-log.ts';
import type { RunningClock } from './running-clock.ts';
import { StreamIntake } from './stream-intake.ts';
import { watchedBy } from './watched-members.ts';

/** Between two peers that are told of a rotated certificate. */
const ROTATION_PACE_MS = 10;

/** The streams between this node and all others, and the table that says how each of them stands. */
export class PeerStreams {
  /** To be added to the server. */
  readonly service: FabricService;
  /** Who takes a step down from mutual TLS. */
  readonly downgrades: Downgrades;
  /** What is sent to peers and by them beside the frames of the streams themselves. */
  readonly exchanges: PeerExchanges;
  readonly #parts: PeerStreamsParts;
  readonly #links: PeerLinks;
  readonly #admission: PeerAdmission;
  readonly #intake: StreamIntake;
  readonly #refusals: RefusalLog;
  readonly #peers = new MutableValue<readonly PeerEntry[]>([]);
  readonly #unsubscribe: (() => void)[] = [];
  readonly #rotationTurns = new PacedTurns(ROTATION_PACE_MS);
  readonly #clock: RunningClock;
  #state: 'new' | 'started' | 'draining' | 'closed' = 'new';

  constructor(parts: PeerStreamsParts) {
    this.#parts = parts;
    this.#clock = livenessClock(parts.options.heartbeatIntervalMs);
    this.#links = new PeerLinks({ directory: parts.directory, make: name => this.#makeLink(name) });
    this.exchanges = new PeerExchanges({
      limits: parts.options.messages,
      guardOf: parts.guardOf,
      wayOf: parts.wayOf,
      serve: parts.serve,
      demand: name => this.demand(name),
    });
    this.#refusals = new RefusalLog(parts.logger, parts.metrics, parts.refused);
    this.downgrades = new Downgrades(parts, name => this.#links.get(name)?.live);
    this.#admission = new PeerAdmission({
      ...parts,
      downgrades: this.downgrades,
      live: name => this.#links.get(name)?.live,
      isClosed: () => this.#state === 'closed',
    });
    this.#intake = new StreamIntake({
      ...parts,
      links: this.#links,
      exchanges: this.exchanges,
      heartbeats: new Heartbeats(parts.options),
      admission: this.#admission,
      refusals: this.#refusals,
      isDraining: () => this.#state === 'draining',
      changed: () => this.#publish(),
    });
    this.service = implementFabric({
      helloTimeoutMs: parts.options.helloTimeoutMs ?? DEFAULT_HELLO_TIMEOUT_MS,
      contextOf: (hello, caller, target) => this.#admission.contextOf(hello, caller, target),
      introductionFor: (name, caller) => this.#admission.introductionFor(name, caller),
      take: (hello, protocol, caller, frames) => this.#intake.take(hello, protocol, caller, frames),
      refusals: this.#refusals,
      downgrades: this.downgrades,
    });
    this.#onMembers(parts.directory.members.value, []);
    this.#unsubscribe.push(
      parts.directory.members.subscribe((next, previous) => this.#onMembers(next, previous)),
      parts.self.subscribe((self, previous) => this.#onSelf(self, previous)),
      () => this.#rotationTurns.close(),
    );
  }

  /** Every member, sorted by name, and strangers that are connected. */
  get peers(): ObservableValue<readonly PeerEntry[]> {
    return this.#peers;
  }

  /** Begins to dial. Hellos are taken before that too. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    this.#links.start();
    const tend = setInterval(() => {
      for (const link of this.#links.all) link.tend();
    }, this.#parts.options.heartbeatIntervalMs).unref();
    const ticks = startTicks(this.#clock, () => {
      if (this.#links.all.filter(link => link.tick()).length > 0) this.#publish();
    });
    this.#unsubscribe.push(() => clearInterval(tend), ticks);
  }

  /** Forgets the waits between dials to a member and dials it now, where no stream is open. */
  wake(name: string): void {
    this.#links.get(name)?.wake();
  }

  /** There is, or is to be, traffic with a member: its stream is dialled, and stays for as long as that goes on. */
  demand(name: string): void {
    this.#links.get(name)?.demand();
  }

  /** The channel to a member has another connection: the stream that this node dialled follows it. */
  follow(name: string): void {
    this.#links.get(name)?.follow();
  }

  /** Ends the streams whose security `select` picks. The peers learn why; both sides may dial again. */
  endWhere(select: (security: Security) => boolean, reason: EndReason): void {
    for (const stream of this.#links.live) if (select(stream.security)) void stream.close(reason);
  }

  /** As `endWhere`, when both sides have finished what is on its way. */
  retireWhere(select: (security: Security) => boolean, reason: EndReason): void {
    for (const stream of this.#links.live) if (select(stream.security)) void stream.retire(reason);
  }

  /** Ends the stream that runs over an inbound connection, if one does. The peer learns why; both sides may dial again. */
  endConnection(connectionId: number, reason: EndReason): void {
    for (const stream of this.#links.live) if (stream.connectionId === connectionId) void stream.close(reason);
  }

  /** Ends streams (of `names`, or all) whose peers prove no more who they are, or step down; forgets what is proven no more. */
  judgeProofs(names?: ReadonlySet<string>): void {
    this.#admission.review();
    for (const stream of this.#links.live.filter(({ node }) => names?.has(node) ?? true)) {
      const reason = this.#admission.whyNot(stream);
      if (reason !== undefined) void stream.close(reason);
    }
    this.#publish();
  }

  /** Asks connected peers whether they would admit this node with other certificates. */
  ask(question: AdmissionQuestion, options: AskOptions): Promise<readonly PeerAnswer[]> {
    return askPeers(this.#links.live, question, options);
  }

  /** The node whose stream runs over an inbound connection. */
  nodeOf(connectionId: number): string | undefined {
    return this.#links.live.find(stream => stream.connectionId === connectionId)?.node;
  }

  /**
   * Tells every peer that this node takes nothing new; dials no more. Resolves when all that are connected have
   * acknowledged, at the latest after `timeoutMs`.
   */
  async announceDraining(timeoutMs: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    this.#links.pause();
    await atMost(timeoutMs, Promise.all(this.#links.live.map(stream => stream.announceDraining())));
  }

  /** Says goodbye on every stream, takes no Hello any more. Resolves when the goodbyes are sent, within a second or so. */
  async close(reason: EndReason = 'node_closed'): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const stop of this.#unsubscribe) stop();
    await Promise.all(this.#links.all.map(link => link.close(reason)));
    this.exchanges.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onMembers(next: readonly KnownMember[], previous: readonly KnownMember[]): void {
    this.#links.onMembers(next, previous);
    this.#watch();
    const before = new Set(previous.map(({ name }) => name));
    for (const { name } of next) if (!before.has(name)) this.#intake.learnAgain(name);
  }

  #watch(): void {
    const { self, directory, options } = this.#parts;
    const watched = watchedBy(self.value, directory.members.value, options.watchedMembers);
    for (const { name } of directory.members.value) this.#links.get(name)?.watch(watched.has(name));
    this.#publish();
  }

  #onSelf(self: Introduction, previous: Introduction): void {
    const { serverCertificateSha256 } = previous;
    const isRotation = isDeepStrictEqual({ ...self, serverCertificateSha256 }, previous);
    for (const link of this.#links.all) {
      // Everybody dials anew who hears of it, and they must not all do that at once.
      if (isRotation) this.#rotationTurns.add(link.name, () => link.live?.advertise(this.#parts.self.value));
      else link.live?.advertise(self);
      link.consider();
    }
    if (self.mode !== previous.mode) this.#watch();
  }

  #makeLink(name: string): PeerLink {
    const { connector, options, logger, self, directory } = this.#parts;
    return new PeerLink({
      name,
      isBusy: () => this.exchanges.isBusy(name) || connector.openCallsTo(name) > 0,
      connector,
      options,
      clock: this.#clock,
      logger,
      self: () => self.value,
      member: () => directory.member(name),
      dial: signal =>
        dialPeer({
          node: name,
          self: self.value,
          connector,
          options,
          knownGeneration: proven => this.#admission.knownGeneration(name, proven),
          isDowngrade: security => this.downgrades.isRefused(name, security),
          refused: peer => this.#refusals.answered(peer),
          signal,
        }),
      welcomed: outcome => this.#intake.welcomed(outcome),
      changed: () => this.#publish(),
    });
  }

  #publish(): void {
    this.exchanges.keep(name => this.#links.get(name) !== undefined);
    const { entries } = this.#links;
    countLiveness(this.#parts.metrics, entries);
    this.#peers.set(entries);
    this.downgrades.review(this.#links.live);
  }
}
