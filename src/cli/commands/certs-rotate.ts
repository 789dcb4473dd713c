import type { Command } from 'commander';
import { type CertStore, type IssuedFiles, openCertStore } from '../../dev-pki/cert-store.ts';
import { addDaysOption, addDirectoryOption, expectCertStore, notAfterOf } from '../certs-options.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';
import { renderTable } from '../table.ts';

interface RotateOptions {
  readonly dir: string;
  readonly all?: boolean;
  readonly days?: number;
}

/** `selvedgectl certs rotate` */
export function certsRotateCommand(context: CommandContext): Command {
  const command = offlineCommand('rotate', 'renew certificates: the same names, new keys', [
    'selvedgectl certs rotate node-1',
    'selvedgectl certs rotate admin-alice --days 7',
    'selvedgectl certs rotate --all',
  ])
    .argument('[names...]', 'as certs list shows them')
    .option('--all', 'every node and every operator of the directory');
  addDirectoryOption(command);
  addDaysOption(command, 'as long as it had');
  command.addHelpText('after', '\nA running node takes the new files by itself.');
  return command.action(async (names: readonly string[], { dir, all, days }: RotateOptions) => {
    const { terminal } = context;
    if (names.length > 0 === (all === true)) throw usageFailure('certs rotate needs a name, or --all.');
    expectCertStore(dir);
    const store = await openCertStore(dir);
    const rotated: IssuedFiles[] = [];
    for (const name of all === true ? await rotatable(store) : names)
      rotated.push(await store.rotate(name, notAfterOf(days, terminal)));
    const rows = () => rotated.map(({ name, certFile, keyFile }) => [name, certFile, keyFile]);
    printerOf(command, context)(rotated, () => renderTable(['NAME', 'CERTIFICATE', 'KEY'], rows(), terminal.paint));
  });
}

async function rotatable(store: CertStore): Promise<string[]> {
  const certificates = await store.list();
  const names = certificates.filter(({ kind }) => kind === 'node' || kind === 'admin').map(({ name }) => name);
  if (names.length === 0) throw new CommandFailure(`${store.directory} holds no certificate of a node or an operator.`);
  return names;
}
