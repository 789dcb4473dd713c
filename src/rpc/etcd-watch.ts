import type * as grpc from '@grpc/grpc-js';
import { messageOf } from '../errors/selvedge-error.ts';
import { type EtcdEvent, type EtcdMoment, keyValueOf, momentOf } from './etcd-answers.ts';
import { type EtcdFailure, failureOfStatus } from './etcd-failure.ts';
import { type RangeRequest, type WatchResponse, watchMethod } from './etcd-messages.ts';

/** What happened at one moment, in order. */
export interface EtcdEvents extends EtcdMoment {
  readonly events: readonly EtcdEvent[];
}

export interface EtcdWatchParts {
  readonly client: grpc.Client;
  readonly range: Required<RangeRequest>;
  readonly metadata: grpc.Metadata;
  /** From this revision on. */
  readonly startRevision: number;
  /** So long the server may take to begin the watch, and to answer when it is asked whether it is there. */
  readonly timeoutMs: number;
  /** The server is asked so often. */
  readonly askEveryMs: number;
  /** The watch stands: whatever happens from now on is told. */
  readonly onCreated: () => void;
  readonly onEvents: (events: EtcdEvents) => void;
  /** Told once, unless the watch was closed by us. `compacted`: events between are lost. */
  readonly onEnd: (end: EtcdFailure | { readonly kind: 'compacted' }) => void;
}

export interface EtcdWatch {
  /** Ends the watch; nothing is told any more. */
  close(): void;
}

/**
 * Opens a watch of its own stream. W1: events are told in the order of revisions, none twice, or the watch ends. W2: a
 * watch whose server says nothing when it is asked (`WatchProgressRequest`, since etcd 3.4) ends, also where no connection
 * was seen to break.
 */
export function openEtcdWatch(parts: EtcdWatchParts): EtcdWatch {
  const { path, requestSerialize, responseDeserialize } = watchMethod;
  const call = parts.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, parts.metadata);
  let nextRevision = parts.startRevision;
  let isOver = false;
  const finish = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearInterval(asking);
    clearTimeout(silence);
    call.cancel();
    return true;
  };
  const end = (why: Parameters<EtcdWatchParts['onEnd']>[0]) => {
    if (finish()) parts.onEnd(why);
  };
  const silent = () => end({ kind: 'away', problem: 'the watch of etcd does not answer' });
  let silence: NodeJS.Timeout | undefined = setTimeout(silent, parts.timeoutMs).unref();
  const asking = setInterval(() => {
    silence ??= setTimeout(silent, parts.timeoutMs).unref();
    call.write({ progressRequest: {} });
  }, parts.askEveryMs).unref();
  const take = (response: WatchResponse): void => {
    clearTimeout(silence);
    silence = undefined;
    if (response.compactRevision !== '0') return end({ kind: 'compacted' });
    if (response.canceled) return end(failureOfReason(response.cancelReason));
    if (response.created) return parts.onCreated();
    if (response.events.length === 0) return;
    const moment = momentOf(response.header);
    const events = response.events.map(({ type, kv }): EtcdEvent => {
      if (kv === null) throw new TypeError('an event of etcd has no key');
      const { key, value, modRevision } = keyValueOf(kv);
      if (modRevision < nextRevision) throw new TypeError('etcd tells of events in the wrong order');
      nextRevision = modRevision;
      return { key, value: type === 'DELETE' ? undefined : value, modRevision };
    });
    // All of one revision come together.
    nextRevision += 1;
    parts.onEvents({ ...moment, events });
  };
  call.on('data', (response: WatchResponse) => {
    if (isOver) return;
    try {
      take(response);
    } catch (error) {
      end({ kind: 'wrong', problem: messageOf(error) });
    }
  });
  // The status says the same, and also how a good end went.
  call.on('error', () => {});
  call.on('status', ({ code, details }) => end(failureOfStatus(code, details)));
  call.write({ createRequest: { ...parts.range, startRevision: String(parts.startRevision) } });
  return { close: () => void finish() };
}

/** A watch is refused by an answer that cancels it, not by a status. */
function failureOfReason(reason: string): EtcdFailure {
  const isDenied = /permission denied|auth token/.test(reason);
  return isDenied
    ? { kind: 'denied', problem: `etcd refuses the watch: ${reason}` }
    : { kind: 'away', problem: `etcd ended the watch${reason === '' ? '' : `: ${reason}`}` };
}
