import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { Backoff } from '../lifecycle/backoff.ts';
import { type Clock, MONOTONIC_CLOCK } from '../lifecycle/clock.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import { type Identify, membersAt, type OwnHolder } from './address-holder.ts';
import { AskedAddresses, SILENCE_MS } from './asked-addresses.ts';
import type { DnsAnswer, LookUp } from './dns-answer.ts';
import { isSameView } from './member-changes.ts';
import type { BeliefPolicy } from './member-directory.ts';
import type { MembershipEditor } from './membership-editor.ts';
import type { MembershipSource, MembershipView, SourceStanding } from './membership-source.ts';
import { StandingOfSource } from './source-standing.ts';
import type { TlsMemory } from './tls-memory.ts';

export interface DnsSourceOptions {
  /** What is resolved, for people. */
  readonly names: readonly string[];
  readonly lookUp: LookUp;
  readonly identify: Identify;
  readonly self: OwnHolder;
  /** Names of members that this node cannot reach now. */
  readonly unreachable: ObservableValue<ReadonlySet<string>>;
  readonly policy: ObservableValue<Pick<BeliefPolicy, 'mode'>>;
  /** Who spoke mutual TLS. */
  /** Whether a name that was proven is kept from who proves nothing. */
  readonly refusesDowngrade: () => boolean;
  readonly memory: ObservableValue<TlsMemory>;
  /** No answer counts for less than that, and after a failure nobody is asked sooner. */
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** How long the opening waits for the first answers at most. */
  readonly openTimeoutMs: number;
  /** Default that of the process. */
  readonly clock?: Clock;
  /** Source of chance in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  readonly logger: Logger;
}

/** What is new waits for what else is about to be known, but not for long. */
const SETTLING_MS = 1_000;
/** A resolver that fails is asked again at least that often, or as often as the floor permits. */
const MAX_RETRY_MS = 30_000;

/**
 * Members whose addresses are in DNS and whose names are what the nodes there say and prove; see docs/membership.md. Opens
 * when it has asked everybody once, or the time is over, whether or not there was an answer: then the standing says why.
 */
export async function openDnsSource(options: DnsSourceOptions): Promise<MembershipSource> {
  const source = new DnsSource(options);
  await source.opened;
  return source;
}

/**
 * D1. An answer counts from its TTL, within floor and ceiling, to the next one; a failure keeps the last one.
 * D2. An answer at none of whose addresses a node of the cluster is found changes nobody, as an empty one would not.
 * D3. Who is at an address that is still in the answer stays a member, also when it is silent; see {@link AskedAddresses}.
 */
class DnsSource implements MembershipSource {
  readonly kind = 'dns';
  /** Names come from the nodes themselves: a node that DNS does not name yet may say Hello. */
  readonly lists = false;
  readonly editor: MembershipEditor;
  readonly opened: Promise<void>;
  readonly #options: DnsSourceOptions;
  readonly #clock: Clock;
  readonly #view = new MutableValue<MembershipView>({ members: [], removed: [] });
  readonly #standing: StandingOfSource;
  readonly #asked: AskedAddresses;
  readonly #backoff: Backoff;
  readonly #end = new AbortController();
  #answer: DnsAnswer | undefined;
  #failure: string | undefined;
  /** Since when nobody is known at the addresses of the answer. */
  #nobodySinceMs: number | undefined;
  #callOffLook = () => {};
  #callOffTaking: (() => void) | undefined;
  #setOpened = () => {};

  constructor(options: DnsSourceOptions) {
    const {
      minTtlMs,
      identify,
      self,
      unreachable,
      policy,
      refusesDowngrade,
      memory,
      logger,
      clock = MONOTONIC_CLOCK,
      random,
    } = options;
    const chance = random === undefined ? {} : { random };
    this.#options = options;
    this.#clock = clock;
    this.editor = editorOf(options.names);
    this.#standing = new StandingOfSource('dns', logger, clock);
    this.#backoff = new Backoff({ initialMs: minTtlMs, maxMs: Math.max(minTtlMs, MAX_RETRY_MS), ...chance });
    const changed = () => this.#settle();
    this.#asked = new AskedAddresses({
      identify,
      self,
      unreachable,
      policy,
      refusesDowngrade,
      memory,
      changed,
      clock,
      logger,
      ...chance,
    });
    this.opened = new Promise(resolve => {
      const callOff = clock.at(clock.now() + options.openTimeoutMs, () => this.#setOpened());
      this.#setOpened = () => {
        callOff();
        this.#judge();
        if (this.#answer === undefined && this.#failure === undefined) this.#standing.freeze('no answer yet');
        this.#setOpened = () => {};
        resolve();
      };
    });
    void this.#look();
  }

  get view(): ObservableValue<MembershipView> {
    return this.#view;
  }

  get standing(): ObservableValue<SourceStanding> {
    return this.#standing.value;
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.#callOffLook();
    this.#callOffTaking?.();
    this.#asked.close();
    this.#standing.close();
    this.#setOpened();
  }

  async #look(): Promise<void> {
    const { lookUp, minTtlMs, maxTtlMs } = this.#options;
    const { signal } = this.#end;
    let waitMs: number;
    try {
      const answer = await lookUp(signal);
      if (signal.aborted) return;
      waitMs = Math.min(Math.max(answer.ttlMs, minTtlMs), maxTtlMs);
      this.#backoff.reset();
      this.#answer = answer;
      this.#failure = undefined;
      this.#asked.follow(answer.addresses);
    } catch (error) {
      if (signal.aborted) return;
      waitMs = Math.max(this.#backoff.nextMs(), minTtlMs);
      this.#failure = printable(messageOf(error));
    }
    this.#callOffLook = this.#clock.at(this.#clock.now() + waitMs, () => void this.#look());
    this.#settle();
  }

  #settle(): void {
    if (this.#end.signal.aborted) return;
    if (this.#asked.isIdle) return this.#take();
    this.#callOffTaking ??= this.#clock.at(this.#clock.now() + SETTLING_MS, () => this.#take());
    this.#judge();
  }

  #take(): void {
    this.#callOffTaking?.();
    this.#callOffTaking = undefined;
    const addresses = this.#answer?.addresses ?? [];
    if (this.#asked.isAnybodyKnown) {
      const members = membersAt(addresses, found => this.#asked.holderOf(found), this.#options.self);
      const next = { members, removed: [] };
      if (!isSameView(this.#view.value, next)) this.#view.set(next);
    }
    this.#judge();
    if (this.#asked.isIdle) this.#setOpened();
  }

  /** Whether what is known is of now. */
  #judge(): void {
    const nowMs = this.#clock.now();
    const count = this.#answer?.addresses.length ?? 0;
    if (count === 0 || this.#asked.isAnybodyKnown) this.#nobodySinceMs = undefined;
    else this.#nobodySinceMs ??= nowMs;
    if (this.#failure !== undefined) return this.#standing.freeze(this.#failure);
    if (this.#nobodySinceMs !== undefined && nowMs - this.#nobodySinceMs >= SILENCE_MS)
      return this.#standing.freeze(`at none of the ${count} addresses a node of this cluster answers`);
    if (this.#answer !== undefined && this.#nobodySinceMs === undefined) this.#standing.recover();
  }
}

/** DNS is written by whoever runs the nodes. */
function editorOf(names: readonly string[]): MembershipEditor {
  return {
    change: async ({ kind, name }) => {
      const how =
        kind === 'add'
          ? 'start it where those names resolve to its address'
          : kind === 'drain'
            ? 'run `selvedgectl drain` on it'
            : 'stop it, and see that those names do not resolve to its address any more';
      throw new SelvedgeError(
        'membership_not_writable',
        `members are the nodes at the addresses of ${names.join(', ')}: to ${kind} ${name}, ${how}`,
        { source: 'dns' },
      );
    },
  };
}
