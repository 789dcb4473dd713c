import { Command } from 'commander';
import { usageFailure } from '../command-failure.ts';
import { setOption } from '../config-options.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import { ctlOptionsOf, outputFormatOf } from '../ctl-options.ts';
import { EXIT } from '../exit-codes.ts';
import { configReportAsJson, printConfigReport } from '../render-config-report.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedgectl config` */
export function configCommand(context: CommandContext): Command {
  return new Command('config').description('configuration files').addCommand(configCheckCommand(context));
}

function configCheckCommand(context: CommandContext): Command {
  const command = offlineCommand('check', 'what is wrong with a configuration and the files it names', [
    'selvedgectl config check --config node.toml',
    'selvedgectl config check node.toml --set networking.tls.mode=strict -o json',
  ])
    .argument('[file]', 'the configuration, in place of --config')
    .option('--config <file>', 'the configuration (SELVEDGECTL_CONFIG)')
    .addOption(setOption())
    .addHelpText('after', '\nExits 3 when a node would not start with it.');
  return command.action(async (given: string | undefined, { set }: { set: readonly string[] }) => {
    const { terminal } = context;
    const options = ctlOptionsOf(command, terminal.env);
    const file = given ?? options.config;
    if (file === undefined) throw usageFailure('config check needs --config FILE.');
    const { checkConfig } = await import('../check-config.ts');
    const report = await checkConfig({ file, env: terminal.env, set }, terminal.now());
    if (outputFormatOf(options) === 'json') printerOf(command, context)(configReportAsJson(report), () => '');
    else printConfigReport(report, file, terminal);
    if (report.problems.length > 0) context.finish(EXIT.checkSaidNo);
  });
}
