import type * as grpc from '@grpc/grpc-js';

const POLL_MS = 20;

/** For channels made of others: whoever waits for a state (`waitForReady`) is answered within a moment of the change. */
export function watchByPolling(
  channel: grpc.ChannelInterface,
  current: grpc.connectivityState,
  deadline: grpc.Deadline,
  callback: (error?: Error) => void,
): void {
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
  const poll = () => {
    if (channel.getConnectivityState(false) !== current) return callback();
    if (deadlineMs <= Date.now()) return callback(new Error('Deadline passed without connectivity state change'));
    setTimeout(poll, POLL_MS);
  };
  setTimeout(poll, 0);
}
