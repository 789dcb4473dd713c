import * as grpc from '@grpc/grpc-js';
import type { OutboundConnection } from '../connector/outbound-connections.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { constant, MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { ConnectionStanding, type Standing } from '../listener/connection-standing.ts';
import type { Admission, Admit, AuthorizeCall } from '../listener/listener-policy.ts';
import { connectMethod } from '../messaging/frame.ts';
import type { Caller } from '../rpc/caller.ts';
import { proofOf } from './node-proof.ts';
import type { DialledMembers } from './stream-ways.ts';

/** What the standing of those follows from that this node dialled. */
export interface DialledStandingParts {
  /** Whom the listener trusts. */
  readonly trust: ObservableValue<TrustSnapshot | undefined>;
  /** The gate of the listener. */
  readonly admit: ObservableValue<Admit>;
  readonly authorize: ObservableValue<AuthorizeCall>;
  readonly outbound: ObservableValue<OutboundPolicy>;
  readonly directory: DialledMembers;
}

const NO_METADATA = new grpc.Metadata();
/** A server has always shown one. */
const A_CERTIFICATE = constant({ requireClientAuth: true });

/**
 * Whether the server of a connection that this node dialled may call over it: as the listener would judge a client with
 * its certificate that opens a peer stream under the name of the node that was dialled.
 *
 * G1. `now` is the verdict under the snapshot, the lists, the rules, the members and the clock of this moment.
 * G2. Who was refused is judged again when one of these changes, unlike who is refused by the listener: the connection
 *     stays open, since its server may still be spoken to.
 * G3. What it may do as a server gives it nothing here: the anchors are those of the listener, never of a profile.
 */
export class DialledStanding {
  readonly #connection: OutboundConnection;
  /** Apart from that of the connector, which remembers its own verdicts. */
  readonly #chain: PeerChain | undefined;
  readonly #caller: Caller;
  readonly #parts: DialledStandingParts;
  readonly #admit: MutableValue<Admit>;
  #standing: ConnectionStanding;
  #last: Standing | undefined;
  #judgedUnder: readonly unknown[] = [];

  /** @param caller who calls over it, but for the roles. */
  constructor(
    connection: OutboundConnection,
    chain: PeerChain | undefined,
    caller: Caller,
    parts: DialledStandingParts,
  ) {
    this.#connection = connection;
    this.#chain = chain && { ...chain };
    this.#caller = caller;
    this.#parts = parts;
    this.#admit = new MutableValue(this.#newAdmit());
    this.#standing = this.#newStanding();
  }

  get now(): Standing {
    if (!this.#isSame()) {
      const { trust, admit, authorize, outbound, directory } = this.#parts;
      this.#judgedUnder = [trust.value, admit.value, authorize.value, outbound.value, directory.members.value];
      this.#admit.set(this.#newAdmit());
      if (this.#last?.admitted === false) this.#standing = this.#newStanding();
    }
    this.#last = this.#standing.now;
    return this.#last;
  }

  #isSame(): boolean {
    const { trust, admit, authorize, outbound, directory } = this.#parts;
    const [snapshot, admitting, authorizing, dialling, members] = this.#judgedUnder;
    return (
      snapshot === trust.value &&
      admitting === admit.value &&
      authorizing === authorize.value &&
      dialling === outbound.value &&
      members === directory.members.value
    );
  }

  #newStanding(): ConnectionStanding {
    const { trust } = this.#parts;
    const parts = { trust, policy: A_CERTIFICATE, admit: this.#admit };
    return new ConnectionStanding(this.#chain, this.#connection.security, parts);
  }

  #newAdmit(): Admit {
    const { trust, admit, authorize, outbound, directory } = this.#parts;
    const { nodeName: name, security } = this.#connection;
    return (identity): Admission => {
      const admission = admit.value(identity, security);
      if (!admission.admitted) return admission;
      const standard = { outbound: outbound.value, anchors: trust.value?.anchors ?? [] };
      const addresses = directory.member(name)?.addresses;
      const proof = proofOf({ name, addresses }, identity, security.kind, standard);
      if (!proof.ok) return { admitted: false, reason: 'node_identity_mismatch', detail: proof.detail };
      const caller = { ...this.#caller, roles: admission.roles };
      const { allowed } = authorize.value(caller, connectMethod.path, NO_METADATA);
      const detail = 'it may not open a peer stream';
      return allowed ? admission : { admitted: false, reason: 'subject_not_allowed', detail };
    };
  }
}
