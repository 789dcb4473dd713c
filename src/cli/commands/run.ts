import { Command } from 'commander';
import { type ConfigSources, loadConfig } from '../../config/load-config.ts';
import { isSelvedgeError, SelvedgeError } from '../../errors/selvedge-error.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { addConfigOptions, type ConfigOptions } from '../config-options.ts';
import { withExamples } from '../ctl-command.ts';
import type { ExitCode } from '../exit-codes.ts';
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
    try {
      context.finish(await run(sources));
    } catch (error) {
      throw await withEveryMistake(error, sources, context.terminal.now());
    }
  });
}

async function run(sources: ConfigSources): Promise<ExitCode> {
  const loaded = await loadConfig(sources);
  const logger = createLogger({ level: loaded.settings.logLevel, pretty: process.stdout.isTTY === true });
  // Only this command needs a node, and loading it takes a while.
  const { FabricNode } = await import('../../node/fabric-node.ts');
  const metrics = createMetrics({ process: true });
  const startNode: DaemonParts['startNode'] = (options, parts) => FabricNode.start(options, { ...parts, metrics });
  return runDaemon({ sources, loaded, logger, startNode, process });
}

/** A start ends at the first file that is wrong; `selvedge check` goes on, and its operator mends everything at once. */
async function withEveryMistake(error: unknown, sources: ConfigSources, now: Date): Promise<unknown> {
  const isForGood = isSelvedgeError(error, 'credentials_invalid') && error.facts.mayPass !== true;
  if (!isForGood && !isSelvedgeError(error, 'config_invalid')) return error;
  const { checkConfig } = await import('../check-config.ts');
  const { problems } = await checkConfig(sources, now);
  if (problems.length === 0) return error;
  return new SelvedgeError('config_invalid', error.message, { problems });
}
