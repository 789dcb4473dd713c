import { checkMode } from '../control/node-control.ts';
import { obstacleInWords } from '../rpc/mode-obstacles.ts';
import { outOfReach } from './check-reachable.ts';
import { ModeWatch, type ModeWatchParts } from './mode-watch.ts';
import type { NodeParts } from './node-parts.ts';
import type { NodeServer } from './node-server.ts';

/** Watches over the mode of a node that serves, until the watch is closed. */
export function watchMode(
  parts: NodeParts,
  server: NodeServer,
  node: Pick<ModeWatchParts, 'configured' | 'turn'>,
): ModeWatch {
  const { settings, directory, logger, metrics, modeState, closing } = parts;
  const inTheWay = (isOfClients: boolean) =>
    checkMode(server.facts, 'strict')
      .modeObstacles.filter(({ code }) => (code === 'plaintext_connections') === isOfClients)
      .map(obstacleInWords);
  const watch = new ModeWatch({
    ...node,
    state: modeState,
    obstacles: () => {
      const problems = outOfReach(settings.value.nodeName, parts.members.sources);
      return [...inTheWay(false), ...problems.map(({ key, problem }) => `${key}: ${problem}`)];
    },
    clients: () => inTheWay(true),
    plaintextPeers: () =>
      server.peers.value
        .filter(({ security }) => security !== undefined && security.kind !== 'mutual_tls')
        .map(({ name }) => name),
    logger,
    metrics,
  });
  parts.modeNotices = () => watch.notices;
  closing.defer('mode', () => watch.close());
  for (const value of [server.peers, directory.members])
    closing.defer(
      'mode',
      value.subscribe(() => watch.lookSoon()),
    );
  watch.look();
  return watch;
}
