import { isDeepStrictEqual } from 'node:util';
import type { Address, TcpAddress } from '../identity/address.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { knownAddresses, tlsAddresses } from './known-addresses.ts';
import type { Member } from './member.ts';
import type { MembershipView } from './membership-source.ts';
import { afterEntries, afterWord, type MemberWord, NO_MEMORY, type TlsMemory, wouldDowngrade } from './tls-memory.ts';

/** What may be believed of what members say, by the node's own mode. */
export interface BeliefPolicy {
  readonly mode: 'plain' | 'optional' | 'strict';
  /** In `optional`: with a member that spoke mutual TLS nothing is spoken in plaintext, in neither direction. */
  readonly refuseDowngrade: boolean;
}

interface Learned {
  /** Whether it came over mutual TLS. */
  readonly proven: boolean;
  readonly advertised: readonly TcpAddress[];
  /** The member's entry in the source when this was learned: a changed entry is newer knowledge. */
  readonly configured: readonly Address[];
}

/** A member as it is told, and what it was made of. */
interface Made {
  readonly entry: Member;
  readonly learned: Learned | undefined;
  readonly tlsOnly: boolean;
  readonly member: Member;
}

/**
 * The members, as far as they are known: who exists and at which hosts says the source; with which scheme and port a
 * host is dialled may be learned from the member itself.
 *
 * M1. Nothing that is learned adds a member or a host.
 * M2. In `strict` nothing is believed that did not come over mutual TLS, and what was is forgotten when the mode turns.
 * M3. A changed entry in the source forgets what was learned of that member.
 * M4. Who spoke mutual TLS is remembered (see `TlsMemory`), also where that is no reason to refuse anything; in `plain`
 *     nobody is. Of a member that is refused plaintext nothing is believed that did not come over mutual TLS.
 * M5. A member of which nothing changed stays the same object: sources change often, and in a large cluster one member in many.
 */
export class MemberDirectory {
  readonly #source: ObservableValue<MembershipView>;
  readonly #policy: ObservableValue<BeliefPolicy>;
  readonly #self: string;
  readonly #memory: MutableValue<TlsMemory>;
  /** Of the source, by name. */
  #entries: ReadonlyMap<string, Member>;
  #made: ReadonlyMap<string, Made> = new Map();
  readonly #learned = new Map<string, Learned>();
  readonly #members: MutableValue<readonly Member[]>;
  #byName: ReadonlyMap<string, Member>;
  readonly #unsubscribe: () => void;
  readonly #lists: () => boolean;

  /**
   * @param lists false where no source names every member: then any node of the cluster may say Hello.
   * @param memory who spoke mutual TLS before; kept up to date. Default: nobody.
   */
  constructor(parts: {
    source: ObservableValue<MembershipView>;
    policy: ObservableValue<BeliefPolicy>;
    self: string;
    lists: () => boolean;
    memory?: MutableValue<TlsMemory>;
  }) {
    this.#source = parts.source;
    this.#policy = parts.policy;
    this.#self = parts.self;
    this.#lists = parts.lists;
    this.#memory = parts.memory ?? new MutableValue(NO_MEMORY);
    this.#entries = byName(parts.source.value.members);
    this.#followEntries();
    this.#members = new MutableValue(this.#effectiveMembers());
    this.#byName = byName(this.#members.value);
    const stops = [
      parts.source.subscribe((next, previous) => {
        this.#entries = byName(next.members);
        this.#update(!isDeepStrictEqual(next.removed, previous.removed));
      }),
      parts.policy.subscribe(() => this.#update(false)),
    ];
    this.#unsubscribe = () => {
      for (const stop of stops) stop();
    };
  }

  /** Whether the sources name every member, so that a stranger's name is refused. */
  get lists(): boolean {
    return this.#lists();
  }

  /** Whether a name was taken out, and is refused until it is added again. */
  isRemoved(name: string): boolean {
    return this.#source.value.removed.includes(name);
  }

  /** Every member but this node, with the addresses to dial. */
  get members(): ObservableValue<readonly Member[]> {
    return this.#members;
  }

  member(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  /** Takes what a member said of itself in a Hello, Welcome or Advertisement. */
  learn(name: string, word: MemberWord, overMutualTls: boolean): void {
    const configured = this.#configured(name);
    if (configured === undefined || !this.#believes(name, overMutualTls)) return;
    const { mode } = this.#policy.value;
    if (mode !== 'plain') this.#memory.set(afterWord(this.#memory.value, name, configured, word, overMutualTls));
    this.#take(name, { proven: overMutualTls, advertised: word.addresses, configured });
  }

  /** In `optional`: whether a member spoke mutual TLS, and neither took that back nor was permitted plaintext since. */
  spokeTls(name: string): boolean {
    return this.#policy.value.mode === 'optional' && wouldDowngrade(this.#memory.value, name);
  }

  /** Whether nothing is spoken with a member in plaintext, in neither direction. */
  refusesPlaintext(name: string): boolean {
    return this.#policy.value.refuseDowngrade && this.spokeTls(name);
  }

  /**
   * A member refused plaintext: it speaks TLS. Dialling TLS is never a step down, so this is believed from anybody;
   * it counts until the member says more.
   */
  learnTls(name: string): void {
    const member = this.member(name);
    if (member === undefined || member.addresses.some(address => address.kind === 'tcp' && address.scheme === 'https'))
      return;
    const advertised = member.addresses.flatMap(address =>
      address.kind === 'tcp'
        ? [
            { ...address, scheme: 'https' as const },
            { ...address, scheme: 'http' as const },
          ]
        : [],
    );
    const configured = this.#configured(name);
    if (configured !== undefined && this.#policy.value.mode !== 'strict')
      this.#take(name, { proven: false, advertised, configured });
  }

  close(): void {
    this.#unsubscribe();
  }

  #believes(name: string, overMutualTls: boolean): boolean {
    return overMutualTls || (this.#policy.value.mode !== 'strict' && !this.refusesPlaintext(name));
  }

  #configured(name: string): readonly Address[] | undefined {
    return this.#entries.get(name)?.addresses;
  }

  #followEntries(): void {
    const isForgetting = this.#policy.value.mode === 'plain';
    const isGone = (name: string) => this.lists || this.isRemoved(name);
    this.#memory.set(
      isForgetting ? NO_MEMORY : afterEntries(this.#memory.value, name => this.#configured(name), isGone),
    );
  }

  /** @param isTold in any case, since somebody is refused now or is not any more. */
  #update(isTold: boolean): void {
    this.#followEntries();
    for (const [name, learned] of this.#learned) {
      const configured = this.#configured(name);
      const isStale = configured !== learned.configured && !isDeepStrictEqual(configured, learned.configured);
      const isUnproven = this.#policy.value.mode === 'strict' && !learned.proven;
      if (isStale || isUnproven) this.#learned.delete(name);
    }
    const next = this.#effectiveMembers();
    if (isTold || !isDeepStrictEqual(next, this.#members.value)) this.#publish(next);
  }

  /** What one member says changes no other one: in a large cluster all of them say something at once. */
  #take(name: string, learned: Learned): void {
    this.#learned.set(name, learned);
    const entry = this.#entries.get(name);
    const before = this.member(name);
    if (entry === undefined || before === undefined) return;
    const made = this.#makeOf(entry);
    if (made.member === before) return;
    this.#made = new Map(this.#made).set(name, made);
    this.#publish(this.#members.value.map(member => (member === before ? made.member : member)));
  }

  #publish(members: readonly Member[]): void {
    this.#byName = byName(members);
    this.#members.set(members);
  }

  #effectiveMembers(): readonly Member[] {
    const made = this.#source.value.members.filter(({ name }) => name !== this.#self).map(entry => this.#makeOf(entry));
    this.#made = new Map(made.map(each => [each.entry.name, each]));
    return made.map(({ member }) => member);
  }

  #makeOf(entry: Member): Made {
    const { name } = entry;
    const before = this.#made.get(name);
    const learned = this.#learned.get(name);
    const tlsOnly = this.refusesPlaintext(name);
    if (before?.entry === entry && before.learned === learned && before.tlsOnly === tlsOnly) return before;
    const known = knownAddresses(entry.addresses, learned?.advertised ?? []);
    const next: Member = tlsOnly
      ? { ...entry, addresses: tlsAddresses(known), tlsOnly }
      : { ...entry, addresses: known };
    const member = before !== undefined && isDeepStrictEqual(next, before.member) ? before.member : next;
    return { entry, learned, tlsOnly, member };
  }
}

function byName(members: readonly Member[]): ReadonlyMap<string, Member> {
  return new Map(members.map(member => [member.name, member]));
}
