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

interface NodeOptions {
  readonly dir: string;
  readonly host: readonly string[];
  readonly localhost?: boolean;
  readonly days?: number;
  readonly force?: boolean;
}

/** `selvedgectl certs node` */
export function certsNodeCommand(context: CommandContext): Command {
  const command = offlineCommand('node', 'issue the certificate of a node, for server and client', [
    'selvedgectl certs node node-1 --host node-1.example 10.0.0.1',
    'selvedgectl certs node node-1 --localhost --days 30',
  ])
    .argument('<name>', 'name of the node; its certificate says spiffe://{cluster}/fabric/{name}')
    .option('--host <hosts...>', 'host names and addresses under which it is dialled, without port', [])
    .option('--localhost', 'add localhost, 127.0.0.1 and ::1');
  addDirectoryOption(command);
  addDaysOption(command, '90');
  addForceOption(command);
  return command.action(async (nodeName: string, { dir, host, localhost, days, force }: NodeOptions) => {
    const { terminal } = context;
    expectCertStore(dir);
    const { openCertStore } = await import('../../dev-pki/cert-store.ts');
    const store = await openCertStore(dir);
    const issued = await store.issueNode({
      nodeName,
      hosts: host.flatMap(hosts => hosts.split(',')),
      localhost: localhost === true,
      force: force === true,
      ...notAfterOf(days, terminal),
    });
    printerOf(command, context)(issued, () => renderIssued(issued, terminal));
  });
}
