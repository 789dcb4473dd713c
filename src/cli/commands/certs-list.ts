import type { Command } from 'commander';
import { listStoredCertificates, type StoredCertificate } from '../../dev-pki/stored-certificate.ts';
import { expiryCell } from '../cells.ts';
import { addDirectoryOption, expectCertStore } from '../certs-options.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl certs list` */
export function certsListCommand(context: CommandContext): Command {
  const command = offlineCommand('list', 'the certificates of a directory, and what is wrong with them', [
    'selvedgectl certs list --dir certs',
    "selvedgectl certs list -o json | jq -r '.[] | select(.problems != []) | .file'",
  ]);
  addDirectoryOption(command);
  return command.action(async ({ dir }: { dir: string }) => {
    expectCertStore(dir);
    const certificates = await listStoredCertificates(dir);
    printerOf(command, context)(certificates, () => renderCertificates(certificates, context.terminal));
  });
}

const HEADINGS = ['NAME', 'KIND', 'CERTIFICATE', 'NAMES', 'FINGERPRINT', 'KEY', 'PROBLEMS'];

function renderCertificates(certificates: readonly StoredCertificate[], { paint, now }: Terminal): string {
  const rows = certificates.map((certificate): Cell[] => [
    certificate.name,
    certificate.kind,
    expiryCell(certificate.notAfter.getTime(), now()),
    [...certificate.uris, ...certificate.dnsNames, ...certificate.ipAddresses].join(', '),
    certificate.fingerprint,
    certificate.hasKey ? 'yes' : '',
    { text: certificate.problems.join(' '), colour: 'bad' },
  ]);
  return renderTable(HEADINGS, rows, paint);
}
