import type { ConfigSources, LoadedConfig } from '../config/load-config.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { watchFiles } from '../lifecycle/file-watcher.ts';
import type { FabricNodeOptions } from '../node/node-options.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ConfigReloader, logMasked, type ReloadableNode } from './config-reloader.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The part of a node that a daemon steers. */
export interface DaemonNode extends ReloadableNode {
  /** Resolves when the node has closed, whoever asked for it. */
  readonly closed: Promise<void>;
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** The part of the process that a daemon listens to. */
export interface DaemonProcess {
  on(signal: DaemonSignal, listener: () => void): unknown;
  off(signal: DaemonSignal, listener: () => void): unknown;
  exit(code: number): void;
}

export type DaemonSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

export interface DaemonParts {
  readonly sources: ConfigSources;
  readonly loaded: LoadedConfig;
  readonly logger: Logger;
  readonly startNode: (options: FabricNodeOptions, parts: { readonly logger: Logger }) => Promise<DaemonNode>;
  readonly process: DaemonProcess;
}

/**
 * Runs a node until it is told to end. SIGTERM and SIGINT drain it, also while it still starts; a second one ends the
 * process at once. SIGHUP, and a change of the file, reload the configuration. Rejects with what kept the node from
 * starting.
 */
export async function runDaemon({ sources, loaded, logger, startNode, process }: DaemonParts): Promise<ExitCode> {
  const stop = stopRequest(process, logger);
  // Without a listener the signal would end a process that still starts.
  const hangUps = new HangUps(process);
  try {
    logMasked(loaded, logger);
    const node = await startNode(loaded.options, { logger });
    const reloader = new ConfigReloader({ sources, loaded, node, logger });
    hangUps.handle(() => void reloader.reload('sighup'));
    const watcher = watchFiles({
      files: [sources.file],
      onChange: () => reloader.reload('file_changed'),
      onError: error => logger.warn('config.watch_failed', { problem: messageOf(error) }),
    });
    try {
      await watcher.ready;
      // The file may have changed since it was read; where it has not, nothing happens.
      void reloader.reload('start');
      await Promise.race([stop.requested, node.closed]);
    } finally {
      reloader.close();
      await Promise.all([watcher.close(), node.drain()]);
      await node.close();
    }
    return EXIT.ok;
  } finally {
    stop.ignore();
    hangUps.ignore();
  }
}

function stopRequest(process: DaemonProcess, logger: Logger): { requested: Promise<void>; ignore(): void } {
  let isRequested = false;
  let resolveRequested: () => void = () => {};
  const requested = new Promise<void>(resolve => {
    resolveRequested = resolve;
  });
  const listeners = (['SIGTERM', 'SIGINT'] as const).map(signal => {
    const listener = (): void => {
      if (isRequested) process.exit(EXIT.failure);
      isRequested = true;
      logger.info('node.stop_requested', { signal });
      resolveRequested();
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  return {
    requested,
    ignore: () => {
      for (const { signal, listener } of listeners) process.off(signal, listener);
    },
  };
}

/** SIGHUP; one that comes before anybody handles it is kept. */
class HangUps {
  readonly #process: DaemonProcess;
  readonly #listener = (): void => {
    if (this.#handler === undefined) this.#isPending = true;
    else this.#handler();
  };
  #handler: (() => void) | undefined;
  #isPending = false;

  constructor(process: DaemonProcess) {
    this.#process = process;
    process.on('SIGHUP', this.#listener);
  }

  handle(handler: () => void): void {
    this.#handler = handler;
    if (this.#isPending) handler();
  }

  ignore(): void {
    this.#process.off('SIGHUP', this.#listener);
  }
}
