import * as grpc from '@grpc/grpc-js';
import { getLogger } from '@grpc/grpc-js/build/src/logging.js';

/** A header whose value is not of gRPC metadata, such as a token with a stray character; the whole value follows. */
const LEFT_OUT = /^Failed to add metadata entry /;

let kept: Partial<Console> | undefined;

/**
 * Keeps what callers send in headers, tokens among it, out of what grpc-js writes: of a header that it leaves out it writes
 * the value, to the standard error of the process or to the logger that was set, for whoever sends one and as often. The
 * call comes without that header. All else is passed on. Of this process as a whole, as that logger is.
 */
export function keepHeadersOutOfGrpcLog(): void {
  const logger = getLogger();
  if (logger === kept) return;
  const passOn = (level: 'info' | 'debug') =>
    logger[level] === undefined ? {} : { [level]: (...message: unknown[]) => logger[level]?.(...message) };
  kept = {
    ...passOn('info'),
    ...passOn('debug'),
    error: (message: unknown, ...more: unknown[]) => {
      if (typeof message !== 'string' || !LEFT_OUT.test(message)) logger.error?.(message, ...more);
    },
  };
  grpc.setLogger(kept);
}
