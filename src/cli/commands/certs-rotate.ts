import { type Command, Option } from 'commander';
import { CA_STEPS, type CaStep } from '../../dev-pki/ca-step.ts';
import type { CertStore, IssuedFiles } from '../../dev-pki/cert-store.ts';
import { addDaysOption, addDirectoryOption, expectCertStore, notAfterOf } from '../certs-options.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import { renderCaRotation } from '../render-ca-rotation.ts';
import type { CommandContext } from '../run-program.ts';
import { renderTable } from '../table.ts';

interface RotateOptions {
  readonly dir: string;
  readonly all?: boolean;
  readonly step?: CaStep;
  readonly days?: number;
}

/** `selvedgectl certs rotate` */
export function certsRotateCommand(context: CommandContext): Command {
  const command = offlineCommand('rotate', 'renew certificates: the same names, new keys; or replace the CA itself', [
    'selvedgectl certs rotate node-1',
    'selvedgectl certs rotate admin-alice --days 7',
    'selvedgectl certs rotate --all',
    'selvedgectl certs rotate ca --step add',
  ])
    .argument('[names...]', 'as certs list shows them, or ca with --step')
    .option('--all', 'every node and every operator of the directory')
    .addOption(
      new Option(
        '--step <step>',
        'of replacing the CA: add trusts a new root beside the old one, switch renews everything from it, drop trusts the old one no more',
      ).choices(CA_STEPS),
    );
  addDirectoryOption(command);
  addDaysOption(command, 'as long as it had; ten years for a new root');
  command.addHelpText('after', '\nA running node takes the new files by itself.');
  return command.action(async (names: readonly string[], options: RotateOptions) => {
    if (names.includes('ca') || options.step !== undefined) return rotateRoot(command, context, names, options);
    const { dir, all, days } = options;
    const { terminal } = context;
    if (names.length > 0 === (all === true)) throw usageFailure('certs rotate needs a name, or --all.');
    expectCertStore(dir);
    const { openCertStore } = await import('../../dev-pki/cert-store.ts');
    const store = await openCertStore(dir);
    const rotated: IssuedFiles[] = [];
    for (const name of all === true ? await rotatable(store) : names)
      rotated.push(await store.rotate(name, notAfterOf(days, terminal)));
    const rows = () => rotated.map(({ name, certFile, keyFile }) => [name, certFile, keyFile]);
    printerOf(command, context)(rotated, () => renderTable(['NAME', 'CERTIFICATE', 'KEY'], rows(), terminal.paint));
  });
}

async function rotateRoot(
  command: Command,
  context: CommandContext,
  names: readonly string[],
  { dir, all, step, days }: RotateOptions,
): Promise<void> {
  if (step === undefined) throw usageFailure('certs rotate ca needs --step add, switch or drop.');
  if (names.length !== 1 || names[0] !== 'ca' || all === true)
    throw usageFailure('--step goes with the one name ca: certs rotate ca --step add.');
  if (step === 'drop' && days !== undefined) throw usageFailure('--step drop issues nothing that --days could limit.');
  expectCertStore(dir);
  const { rotateCa } = await import('../../dev-pki/rotate-ca.ts');
  const rotation = await rotateCa(dir, step, notAfterOf(days, context.terminal));
  if ('problem' in rotation) {
    const remedy = `Run \`selvedgectl certs rotate ca --dir ${dir} --step ${rotation.doFirst}\` first.`;
    throw new CommandFailure(rotation.problem, remedy);
  }
  printerOf(command, context)(rotation, () => renderCaRotation(rotation, context.terminal));
}

async function rotatable(store: CertStore): Promise<string[]> {
  const certificates = await store.list();
  const names = certificates.filter(({ kind }) => kind === 'node' || kind === 'admin').map(({ name }) => name);
  if (names.length === 0) throw new CommandFailure(`${store.directory} holds no certificate of a node or an operator.`);
  return names;
}
