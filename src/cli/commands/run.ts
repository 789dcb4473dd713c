import { Command } from 'commander';
import { loadConfig } from '../../config/load-config.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { addConfigOptions, type ConfigOptions } from '../config-options.ts';
import { withExamples } from '../ctl-command.ts';
import { type DaemonParts, runDaemon } from '../run-daemon.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedge run` */
export function runCommand(context: CommandContext): Command {
  const command = addConfigOptions(new Command('run').description('run a node until SIGTERM or SIGINT'));
  withExamples(command, [
    'selvedge run --config node.toml',
    'selvedge run --config node.toml --set networking.tls.mode=strict --set log-level=debug',
    'SELVEDGE_NETWORKING__TLS__MODE=optional selvedge run --config node.toml',
  ]).addHelpText(
    'after',
    '\nSIGTERM and SIGINT drain it; the second one ends it at once. SIGHUP reloads configuration and credentials,' +
      '\nwhich are watched anyway. Logs go to standard output: JSON, or pretty lines where that is a terminal.',
  );
  return command.action(async ({ config, set }: ConfigOptions) => {
    const sources = { file: config, env: context.terminal.env, set };
    const loaded = await loadConfig(sources);
    const logger = createLogger({ level: loaded.settings.logLevel, pretty: process.stdout.isTTY === true });
    // Only this command needs a node, and loading it takes a while.
    const { FabricNode } = await import('../../node/fabric-node.ts');
    const metrics = createMetrics({ process: true });
    const startNode: DaemonParts['startNode'] = (options, parts) => FabricNode.start(options, { ...parts, metrics });
    context.finish(await runDaemon({ sources, loaded, logger, startNode, process }));
  });
}
