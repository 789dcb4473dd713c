import { join } from 'node:path';
import type { Command } from 'commander';
import { addDaysOption, addDirectoryOption, addForceOption, notAfterOf } from '../certs-options.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';
import { renderFields } from '../table.ts';

interface InitOptions {
  readonly dir: string;
  readonly cluster: string;
  readonly intermediate?: boolean;
  readonly days?: number;
  readonly force?: boolean;
}

/** `selvedgectl certs init` */
export function certsInitCommand(context: CommandContext): Command {
  const command = offlineCommand('init', 'make a new CA for a cluster', [
    'selvedgectl certs init --dir certs --cluster dev',
    'selvedgectl certs init --dir certs --cluster staging --intermediate --days 365',
  ]);
  addDirectoryOption(command);
  command.requiredOption('--cluster <name>', 'the cluster; stands in every name as spiffe://{cluster}/...');
  command.option('--intermediate', 'let an intermediate CA issue in place of the root');
  addDaysOption(command, 'ten years');
  addForceOption(command);
  return command.action(async ({ dir, cluster, intermediate, days, force }: InitOptions) => {
    const { terminal } = context;
    const { initCertStore } = await import('../../dev-pki/cert-store.ts');
    const store = await initCertStore(dir, {
      clusterName: cluster,
      intermediate: intermediate === true,
      force: force === true,
      ...notAfterOf(days, terminal),
    });
    const caFile = join(store.directory, 'ca.pem');
    printerOf(command, context)({ directory: store.directory, cluster, caFile, name: store.authority.name }, () =>
      renderFields(
        [
          ['authority', store.authority.name],
          ['trust it with', `ca-file = "${caFile}"`],
        ],
        terminal.paint,
      ),
    );
  });
}
