import * as grpc from '@grpc/grpc-js';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { Call, CallArguments } from '../rpc/grpc-call.ts';
import { statusOf } from '../rpc/status.ts';
import { FacadeCall } from './facade-call.ts';
import { watchByPolling } from './watch-by-polling.ts';
import { type Weighted, WeightedTurns } from './weighted-turns.ts';

export interface PickingChannelParts {
  /** For messages: what was asked for, such as `role=worker`. */
  readonly selector: string;
  /** The members to pick from now, the ready ones apart. Asked at each call. */
  readonly candidates: () => { readonly ready: readonly Weighted[]; readonly others: readonly Weighted[] };
  readonly channelTo: (name: string) => grpc.ChannelInterface;
}

/**
 * A channel to any of several members: each call goes to the next ready one, in turn and by weight. When none is ready the
 * call waits for one that is not, as calls to a single member do; when none matches it fails with `no_ready_member`.
 */
export class PickingChannel implements grpc.ChannelInterface {
  readonly #parts: PickingChannelParts;
  readonly #turns = new WeightedTurns();
  #closed = false;

  constructor(parts: PickingChannelParts) {
    this.#parts = parts;
  }

  createCall(...args: CallArguments): Call {
    const { ready, others } = this.#parts.candidates();
    const chosen = this.#turns.next(ready.length > 0 ? ready : others);
    if (chosen !== undefined && !this.#closed) return this.#parts.channelTo(chosen.name).createCall(...args);
    const call = new FacadeCall(args, { ended: () => {} });
    const { selector } = this.#parts;
    const error = new SelvedgeError('no_ready_member', `no member matches ${selector}`, { selector });
    call.fail(grpc.status.UNAVAILABLE, statusOf(error).details);
    return call;
  }

  getTarget(): string {
    return `selvedge:///?${this.#parts.selector}`;
  }

  getConnectivityState(tryToConnect: boolean): grpc.connectivityState {
    if (this.#closed) return grpc.connectivityState.SHUTDOWN;
    const { ready, others } = this.#parts.candidates();
    if (ready.length > 0) return grpc.connectivityState.READY;
    if (tryToConnect) for (const { name } of others) this.#parts.channelTo(name).getConnectivityState(true);
    return grpc.connectivityState.IDLE;
  }

  watchConnectivityState(
    current: grpc.connectivityState,
    deadline: grpc.Deadline,
    callback: (error?: Error) => void,
  ): void {
    watchByPolling(this, current, deadline, callback);
  }

  getChannelzRef(): never {
    throw new Error('channelz is switched off for channels of the fabric');
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The members' channels are shared and stay open. */
  close(): void {
    this.#closed = true;
  }
}
