import type { Daemon } from './daemon.ts';
import type { LoadStats } from './load.ts';

const NONE: LoadStats = { unary: 0, serverStreaming: 0, bidirectional: 0, failed: 0, cut: 0, failures: [] };

/** What the newest `load.stats` line of a daemon says; nothing yet is all zero. */
export function statsOf(daemon: Daemon): LoadStats {
  return Object.assign(
    { ...NONE },
    daemon.lines.findLast(line => line.event === 'load.stats'),
  );
}

/** The calls of several processes together. */
export function sumOfStats(all: readonly LoadStats[]): LoadStats {
  const sum = (count: (stats: LoadStats) => number) => all.reduce((total, stats) => total + count(stats), 0);
  return {
    unary: sum(stats => stats.unary),
    serverStreaming: sum(stats => stats.serverStreaming),
    bidirectional: sum(stats => stats.bidirectional),
    failed: sum(stats => stats.failed),
    cut: sum(stats => stats.cut),
    failures: all.flatMap(stats => stats.failures),
  };
}
