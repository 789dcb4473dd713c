import { isDeepStrictEqual } from 'node:util';
import type { Address, TcpAddress } from '../identity/address.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { knownAddresses } from './known-addresses.ts';
import type { Member } from './member.ts';

/** What may be believed of what members say, by the node's own mode. */
export interface BeliefPolicy {
  readonly mode: 'plain' | 'optional' | 'strict';
  /** In `optional`: a member that was seen with TLS is never dialled in plaintext on its own word over plaintext. */
  readonly refuseDowngrade: boolean;
}

interface Learned {
  /** Whether it came over mutual TLS. */
  readonly proven: boolean;
  readonly advertised: readonly TcpAddress[];
  /** The member's entry in the source when this was learned: a changed entry is newer knowledge. */
  readonly configured: readonly Address[];
}

/**
 * The members, as far as they are known: who exists and at which hosts says the source; with which scheme and port a
 * host is dialled may be learned from the member itself.
 *
 * M1. Nothing that is learned adds a member or a host.
 * M2. In `strict` nothing is believed that did not come over mutual TLS, and what was is forgotten when the mode turns.
 * M3. A changed entry in the source forgets what was learned of that member.
 */
export class MemberDirectory {
  readonly #source: ObservableValue<readonly Member[]>;
  readonly #policy: ObservableValue<BeliefPolicy>;
  readonly #self: string;
  readonly #learned = new Map<string, Learned>();
  readonly #members: MutableValue<readonly Member[]>;
  readonly #unsubscribe: () => void;
  /** Whether the source names the members, so that a stranger's name is refused. */
  readonly lists: boolean;

  /** @param lists false where there is no membership source: then any node of the cluster may say Hello. */
  constructor(parts: {
    source: ObservableValue<readonly Member[]>;
    policy: ObservableValue<BeliefPolicy>;
    self: string;
    lists: boolean;
  }) {
    this.#source = parts.source;
    this.#policy = parts.policy;
    this.#self = parts.self;
    this.lists = parts.lists;
    this.#members = new MutableValue(this.#effective());
    const stops = [parts.source, parts.policy].map(value => value.subscribe(() => this.#update()));
    this.#unsubscribe = () => {
      for (const stop of stops) stop();
    };
  }

  /** Every member but this node, with the addresses to dial. */
  get members(): ObservableValue<readonly Member[]> {
    return this.#members;
  }

  member(name: string): Member | undefined {
    return this.#members.value.find(member => member.name === name);
  }

  /** Takes what a member said of itself in a Hello, Welcome or Advertisement. */
  learn(name: string, introduction: { readonly addresses: readonly TcpAddress[] }, overMutualTls: boolean): void {
    const configured = this.#configured(name);
    if (configured === undefined || !this.#believes(name, introduction.addresses, overMutualTls)) return;
    this.#learned.set(name, { proven: overMutualTls, advertised: introduction.addresses, configured });
    this.#update();
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
    if (configured !== undefined) this.#learned.set(name, { proven: false, advertised, configured });
    this.#update();
  }

  close(): void {
    this.#unsubscribe();
  }

  #believes(name: string, advertised: readonly TcpAddress[], overMutualTls: boolean): boolean {
    if (overMutualTls) return true;
    const { mode, refuseDowngrade } = this.#policy.value;
    if (mode === 'strict') return false;
    const hadTls = this.#learned.get(name)?.advertised.some(address => address.scheme === 'https') ?? false;
    const hasTls = advertised.some(address => address.scheme === 'https');
    return !(mode === 'optional' && refuseDowngrade && hadTls && !hasTls);
  }

  #configured(name: string): readonly Address[] | undefined {
    return this.#source.value.find(member => member.name === name)?.addresses;
  }

  #update(): void {
    for (const [name, learned] of this.#learned) {
      const isStale = !isDeepStrictEqual(this.#configured(name), learned.configured);
      const isUnproven = this.#policy.value.mode === 'strict' && !learned.proven;
      if (isStale || isUnproven) this.#learned.delete(name);
    }
    const next = this.#effective();
    if (!isDeepStrictEqual(next, this.#members.value)) this.#members.set(next);
  }

  #effective(): readonly Member[] {
    return this.#source.value
      .filter(member => member.name !== this.#self)
      .map(member => ({
        ...member,
        addresses: knownAddresses(member.addresses, this.#learned.get(member.name)?.advertised ?? []),
      }));
  }
}
