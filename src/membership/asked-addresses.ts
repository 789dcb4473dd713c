import { isDeepStrictEqual } from 'node:util';
import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { Fifo } from '../lifecycle/fifo.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import { type AddressHolder, type Identify, isTwin, type OwnHolder } from './address-holder.ts';
import type { FoundAddress } from './dns-answer.ts';
import type { BeliefPolicy } from './member-directory.ts';
import { ProvenNames } from './proven-names.ts';
import type { TlsMemory } from './tls-memory.ts';

/** Dials that are under way at once. */
const MAX_AT_ONCE = 16;
/** How often an address is asked again that has said who is there, and of which nobody says otherwise. */
const ASK_AGAIN_MS = 300_000;
const LEAST_CALM_MS = 0.8 * ASK_AGAIN_MS;
/** Between two questions to one address, at least. */
const LEAST_GAP_MS = 1_000;
const RETRY = { initialMs: 250, maxMs: 30_000 };
const DOUBT = { initialMs: LEAST_GAP_MS, maxMs: 30_000 };
/** Addresses that are told of in ten seconds, one by one. */
const MAX_LINES = 20;
/** An address of a node that starts answers nobody for a while. */
export const SILENCE_MS = 10_000;

export interface AskedAddressesParts {
  readonly identify: Identify;
  readonly self: OwnHolder;
  /** Names of nodes that cannot be reached: who answers at their addresses now? */
  readonly unreachable: ObservableValue<ReadonlySet<string>>;
  /** In `strict` nothing counts that is not proven. */
  readonly policy: ObservableValue<Pick<BeliefPolicy, 'mode'>>;
  /** Who spoke mutual TLS: nobody gets such a name by word alone. */
  /** See {@link ProvenNames}. */
  readonly refusesDowngrade: () => boolean;
  readonly memory: ObservableValue<TlsMemory>;
  /** Called when what is known changed, or a round of questions is over. */
  readonly changed: () => void;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly logger: Logger;
}

interface Asked {
  readonly text: string;
  readonly found: FoundAddress;
  readonly followedMs: number;
  readonly backoff: Backoff;
  /** Between a question and one that a doubt asks for. */
  readonly doubts: Backoff;
  isDoubted: boolean;
  holder: AddressHolder | undefined;
  /** Whether the last question was answered. */
  isHeard: boolean;
  /** `resting`: until the time for which it is noted. */
  state: 'waiting' | 'asked' | 'resting';
  askedMs: number;
  isGone: boolean;
  /** Ends the question that is under way, or the wait for the next one. */
  callOff: () => void;
  isTold: boolean;
}

/**
 * Who answers at the addresses of an answer, found out by asking them.
 *
 * A1. Each address is asked until somebody says who it is; then seldom, and soon as long as the node there cannot be reached
 *     or a newer process of that name answers elsewhere: an address may have passed on to another node. An address is in
 *     doubt ever more seldom, until it was left alone for as long as one that nobody doubts.
 * A2. What was said counts until something else is said there, or the address is no longer followed; silence and a refusal
 *     change nothing. What nothing proved ends with them in `strict`, and for a name that is proven elsewhere or was before
 *     (see {@link ProvenNames}): who says such a name without a proof is refused. When the mode turns to `strict` or
 *     `plain`, who was asked over the other is asked again.
 * A3. A bounded number of questions is under way, and one address is not asked twice at once. What was never asked comes
 *     first: many that are silent hold up nobody who is new for longer than one question takes.
 * A4. An address that stays silent, or where somebody answers who must not be believed, is logged once until it has said
 *     who it is; who has our own name is logged. Of very many some lines are left out.
 */
export class AskedAddresses {
  readonly #parts: AskedAddressesParts;
  readonly #proven: ProvenNames;
  readonly #chance: Pick<BackoffOptions, 'random'>;
  readonly #asked = new Map<string, Asked>();
  /** Never asked yet. */
  readonly #fresh = new Fifo<Asked>();
  readonly #waiting = new Fifo<Asked>();
  readonly #repeats = new Repeats(MAX_LINES);
  #underWay = 0;
  readonly #stops: readonly (() => void)[];

  constructor(parts: AskedAddressesParts) {
    this.#parts = parts;
    this.#chance = parts.random === undefined ? {} : { random: parts.random };
    const remembered = () => this.#doubt(({ name, isProven }) => !isProven && this.#proven.has(name));
    this.#proven = new ProvenNames({ ...parts, remembered });
    this.#stops = [
      () => this.#proven.close(),
      parts.unreachable.subscribe((names, previous) => {
        this.#doubt(({ name }) => names.has(name) && !previous.has(name));
      }),
      parts.policy.subscribe(({ mode }) => {
        if (mode !== 'optional') this.#doubt(({ isProven }) => isProven !== (mode === 'strict'));
      }),
    ];
  }

  /** These from now on: what is new is asked, what is gone is forgotten. */
  follow(addresses: readonly FoundAddress[]): void {
    const texts = new Set(addresses.map(({ address }) => formatAddress(address)));
    this.#forget(asked => !texts.has(asked.text));
    for (const found of addresses) {
      const text = formatAddress(found.address);
      if (this.#asked.has(text)) continue;
      const asked: Asked = {
        text,
        found,
        followedMs: this.#parts.clock.now(),
        backoff: new Backoff({ ...RETRY, ...this.#chance }),
        doubts: new Backoff({ ...DOUBT, ...this.#chance }),
        isDoubted: false,
        holder: undefined,
        isHeard: false,
        state: 'waiting',
        askedMs: Number.NEGATIVE_INFINITY,
        isGone: false,
        callOff: () => {},
        isTold: false,
      };
      this.#asked.set(text, asked);
      this.#fresh.push(asked);
    }
    this.#askNext();
  }

  holderOf({ address }: FoundAddress): AddressHolder | undefined {
    return this.#asked.get(formatAddress(address))?.holder;
  }

  /** Whether anybody said who is there, at any address. */
  get isAnybodyKnown(): boolean {
    for (const { holder } of this.#asked.values()) if (holder !== undefined) return true;
    return false;
  }

  /** Whether no question is under way or about to be. */
  get isIdle(): boolean {
    return this.#underWay === 0 && this.#fresh.size + this.#waiting.size === 0;
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#forget(() => true);
  }

  /** All at once: an answer may have thousands that the one before had not. */
  #forget(isGone: (asked: Asked) => boolean): void {
    for (const asked of this.#asked.values()) {
      if (!isGone(asked)) continue;
      this.#asked.delete(asked.text);
      asked.isGone = true;
      asked.callOff();
    }
    for (const line of [this.#fresh, this.#waiting]) line.keep(other => !other.isGone);
  }

  #askNext(): void {
    while (this.#underWay < MAX_AT_ONCE) {
      const next = this.#fresh.shift() ?? this.#waiting.shift();
      if (next === undefined) return;
      void this.#ask(next);
    }
  }

  async #ask(asked: Asked): Promise<void> {
    const { identify, clock } = this.#parts;
    const end = new AbortController();
    asked.callOff = () => end.abort();
    asked.state = 'asked';
    asked.isDoubted = false;
    if (clock.now() - asked.askedMs >= LEAST_CALM_MS) asked.doubts.reset();
    asked.askedMs = clock.now();
    this.#underWay += 1;
    try {
      const holder = await identify(asked.found.address, end.signal, asked.isHeard ? asked.holder : undefined);
      if (!asked.isGone) this.#heard(asked, holder);
    } catch (error) {
      if (!asked.isGone) this.#heardNothing(asked, error);
    }
    this.#underWay -= 1;
    if (!asked.isGone) this.#askAgainAt(asked, clock.now() + this.#waitOf(asked));
    this.#askNext();
    this.#parts.changed();
  }

  /** @throws refused */
  #heard(asked: Asked, holder: AddressHolder): void {
    if (holder.isProven) this.#proves(holder);
    else if (this.#proven.has(holder.name)) throw downgraded(holder);
    const before = asked.holder;
    asked.holder = holder;
    asked.isHeard = true;
    asked.isTold = false;
    if (isDeepStrictEqual(holder, before)) return;
    if (isTwin(holder, this.#parts.self))
      this.#sparingly('name_taken', asked)?.warn('membership.name_taken', {
        node: holder.name,
        problem: `generation ${holder.generation} there, ${this.#parts.self.generation} here`,
      });
    if (this.#isNewest(holder))
      this.#doubt(({ name, generation }) => name === holder.name && generation < holder.generation);
  }

  #mayBeSaid({ name, isProven }: AddressHolder): boolean {
    return isProven || (this.#parts.policy.value.mode !== 'strict' && !this.#proven.has(name));
  }

  /** Whoever said that name without a proof has it no more. */
  #proves({ name }: AddressHolder): void {
    this.#proven.add(name);
    this.#doubt(holder => holder.name === name && !holder.isProven);
    for (const asked of this.#asked.values())
      if (asked.holder?.name === name && !asked.holder.isProven) asked.holder = undefined;
  }

  #isNewest({ name, generation }: AddressHolder): boolean {
    for (const { holder } of this.#asked.values())
      if (holder?.name === name && holder.generation > generation) return false;
    return true;
  }

  #heardNothing(asked: Asked, error: unknown): void {
    asked.isHeard = false;
    if (asked.holder !== undefined && !this.#mayBeSaid(asked.holder)) asked.holder = undefined;
    const isRefused = isSelvedgeError(error, 'refused') && error.facts.by === 'us';
    const isSilent = asked.holder === undefined && this.#parts.clock.now() - asked.followedMs >= SILENCE_MS;
    if (asked.isTold || !(isRefused || isSilent)) return;
    asked.isTold = true;
    const problem = printable(messageOf(error));
    this.#sparingly('unidentified', asked)?.warn('membership.address_unidentified', { problem });
  }

  #sparingly(kind: string, { text: address }: Asked): Logger | undefined {
    const suppressed = this.#repeats.next(kind, this.#parts.clock.now());
    if (suppressed === undefined) return undefined;
    return this.#parts.logger.child({ address, ...(suppressed === 0 ? {} : { suppressed }) });
  }

  #waitOf({ holder, backoff }: Asked): number {
    if (holder === undefined || this.#parts.unreachable.value.has(holder.name)) return backoff.nextMs();
    backoff.reset();
    return LEAST_CALM_MS + 0.4 * ASK_AGAIN_MS * (this.#parts.random ?? Math.random)();
  }

  /** Asks soon at the addresses of holders that are perhaps not there any more. */
  #doubt(isDoubtful: (holder: AddressHolder) => boolean): void {
    const nowMs = this.#parts.clock.now();
    for (const asked of this.#asked.values()) {
      if (asked.state !== 'resting' || asked.isDoubted) continue;
      if (asked.holder === undefined || !isDoubtful(asked.holder)) continue;
      asked.isDoubted = true;
      asked.callOff();
      this.#askAgainAt(asked, Math.max(nowMs, asked.askedMs + asked.doubts.nextMs()));
    }
  }

  #askAgainAt(asked: Asked, atMs: number): void {
    asked.state = 'resting';
    asked.callOff = this.#parts.clock.at(atMs, () => {
      asked.state = 'waiting';
      this.#waiting.push(asked);
      this.#askNext();
    });
  }
}

function downgraded({ name }: AddressHolder): SelvedgeError {
  const detail = `${name} spoke TLS before, and nothing proves that this is it`;
  const reason = 'downgrade_refused';
  return new SelvedgeError('refused', `${reason}: ${detail}`, { reason, by: 'us', detail });
}
