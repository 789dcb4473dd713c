// A daemon like `selvedge run`, with an echo service of its own and with calls of every kind to all other members.
// Usage: load-node.ts CONFIG MEMBER[,MEMBER...], or `ready` for whoever is. Logs `load.stats` twice a second. SIGUSR2 ends
// the calls, not the node: `load.stopped` follows when the last one has ended.
import { runDaemon } from '../../src/cli/run-daemon.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createLogger, FabricNode } from '../../src/index.ts';
import { echoService, Load } from './load.ts';

const [file = '', members = ''] = process.argv.slice(2);
const sources = { file, env: {}, set: [] };
const loaded = await loadConfig(sources);
const logger = createLogger({ level: loaded.settings.logLevel });

process.exitCode = await runDaemon({
  sources,
  loaded,
  logger,
  process,
  startNode: async (options, parts) => {
    const node = await FabricNode.start(options, { ...parts, services: [echoService] });
    const load = new Load(node, members === 'ready' ? members : members.split(','));
    const report = () => logger.info('load.stats', { ...load.stats });
    const timer = setInterval(report, 500);
    const stop = async () => {
      clearInterval(timer);
      await load.stop();
      report();
    };
    process.on('SIGUSR2', () => void stop().then(() => logger.info('load.stopped')));
    return {
      closed: node.closed,
      reload: next => node.reload(next),
      configurationProblem: problem => node.configurationProblem(problem),
      close: () => node.close(),
      drain: async () => {
        await stop();
        await node.drain();
      },
    };
  },
});
