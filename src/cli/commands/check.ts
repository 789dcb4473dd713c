import { Command } from 'commander';
import { addConfigOptions, type ConfigOptions } from '../config-options.ts';
import { withExamples } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import { printConfigReport } from '../render-config-report.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedge check` */
export function checkCommand(context: CommandContext): Command {
  const command = addConfigOptions(
    new Command('check').description('say what is wrong with a configuration and the certificates it names'),
  );
  withExamples(command, [
    'selvedge check --config node.toml',
    'selvedge check --config node.toml --set networking.tls.mode=strict',
  ]).addHelpText('after', '\nExits 78 when a node would not start with it.');
  return command.action(async ({ config, set }: ConfigOptions) => {
    const { terminal } = context;
    const { checkConfig } = await import('../check-config.ts');
    const report = await checkConfig({ file: config, env: terminal.env, set }, terminal.now());
    printConfigReport(report, config, terminal);
    if (report.problems.length > 0) context.finish(EXIT.config);
  });
}
