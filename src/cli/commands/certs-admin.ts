import type { Command } from 'commander';
import {
  addDaysOption,
  addDirectoryOption,
  addForceOption,
  expectCertStore,
  notAfterOf,
  renderIssued,
} from '../certs-options.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';

interface AdminOptions {
  readonly dir: string;
  readonly days?: number;
  readonly force?: boolean;
}

/** `selvedgectl certs admin` */
export function certsAdminCommand(context: CommandContext): Command {
  const command = offlineCommand('admin', 'issue the certificate of an operator, for clients alone', [
    'selvedgectl certs admin alice',
    'selvedgectl status -s https://node-1:5122 --tls-ca certs/ca.pem --tls-cert certs/admin-alice.pem --tls-key certs/admin-alice.key',
  ]).argument('<name>', 'name of the operator; the certificate says spiffe://{cluster}/admin/{name}');
  addDirectoryOption(command);
  addDaysOption(command, '90');
  addForceOption(command);
  return command.action(async (adminName: string, { dir, days, force }: AdminOptions) => {
    const { terminal } = context;
    expectCertStore(dir);
    const { openCertStore } = await import('../../dev-pki/cert-store.ts');
    const store = await openCertStore(dir);
    const issued = await store.issueAdmin({ adminName, force: force === true, ...notAfterOf(days, terminal) });
    printerOf(command, context)(issued, () => renderIssued(issued, terminal));
  });
}
