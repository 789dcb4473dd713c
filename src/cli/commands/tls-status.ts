import type { Command } from 'commander';
import { expiryLevelAt } from '../../credentials/expiry.ts';
import { type CertificateState, type CredentialState, nodeControl, type TlsState } from '../../rpc/control-messages.ts';
import { expiryCell, levelCell, redactable, timeCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { redactionNote } from '../redaction-note.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderFields, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl tls status` */
export function tlsStatusCommand(context: CommandContext): Command {
  const command = onlineCommand('status', 'mode, certificates, trust anchors and the last reload of a node', [
    'selvedgectl tls status --config node.toml',
    "selvedgectl tls status -o json | jq '.credentials[].certificate.not_after_ms'",
  ]);
  return command.action(async () => {
    const session = sessionOf(command, context);
    const state = await session.call(nodeControl, 'GetTlsState', {});
    session.print(state, () => renderTlsState(state, context.terminal), redactionNote(state));
  });
}

function renderTlsState(state: TlsState, terminal: Terminal): string {
  const hasTls = state.mode !== 'plain' || state.credentials.length > 0;
  const summary = renderFields(
    [
      ['mode', state.mode],
      ['client certificate', hasTls ? (state.requireClientAuth ? 'required' : 'not required') : ''],
      ['oldest version', hasTls ? state.minVersion : ''],
      [
        'allowed names',
        state.allowedSubjectNames.length > 0
          ? state.allowedSubjectNames
          : redactable('', hasTls && state.addressesRedacted),
      ],
    ],
    terminal.paint,
  );
  if (state.credentials.length === 0) return summary;
  return [
    summary,
    renderCertificates(state, terminal),
    renderPlaces(state, terminal),
    ...renderTroubles(state, terminal),
  ].join('\n\n');
}

function renderCertificates({ credentials, addressesRedacted }: TlsState, { paint, now }: Terminal): string {
  const row = (usage: string, certificate: CertificateState, credential?: CredentialState): Cell[] => [
    usage,
    redactable(certificate.subject, addressesRedacted),
    levelCell(levelOf(certificate, now())),
    expiryCell(certificate.notAfterMs, now(), levelOf(certificate, now())),
    redactable(certificate.names.join(', '), addressesRedacted),
    certificate.fingerprintSha256.slice(0, 16),
    credential === undefined ? '' : String(credential.trustGeneration),
    credential === undefined ? '' : timeCell(credential.loadedAtMs, now()),
    credential === undefined ? '' : lastReloadCell(credential, now()),
  ];
  const rows = credentials.flatMap(credential => [
    ...(credential.certificate === null ? [] : [row(credential.usage, credential.certificate, credential)]),
    ...credential.anchors.map(anchor => row(`${credential.usage} CA`, anchor)),
  ]);
  const headings = [
    'USE',
    'SUBJECT',
    'LEVEL',
    'CERTIFICATE',
    'NAMES',
    'FINGERPRINT',
    'GENERATION',
    'LOADED',
    'LAST RELOAD',
  ];
  return renderTable(headings, rows, paint);
}

function levelOf({ notBeforeMs, notAfterMs }: CertificateState, now: Date): string {
  return expiryLevelAt({ notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) }, now.getTime()) ?? '';
}

function lastReloadCell({ lastReloadResult, lastReloadAtMs }: CredentialState, now: Date): Cell {
  const time = timeCell(lastReloadAtMs, now);
  const text = `${lastReloadResult} ${typeof time === 'string' ? time : time.text}`.trim();
  return lastReloadResult === 'failed' ? { text, colour: 'bad' } : text;
}

function renderPlaces({ credentials }: TlsState, { paint }: Terminal): string {
  return renderFields(
    credentials.map(({ usage, place }): [string, Cell] => [`${usage} from`, place]),
    paint,
  );
}

function renderTroubles({ credentials }: TlsState, { paint }: Terminal): string[] {
  const lines = credentials.flatMap(({ usage, problem, warnings }): [string, Cell][] => [
    ...(problem === '' ? [] : [[`${usage} problem`, { text: problem, colour: 'bad' }] as [string, Cell]]),
    ...warnings.map((warning): [string, Cell] => [`${usage} warning`, { text: warning, colour: 'warning' }]),
  ]);
  return lines.length === 0 ? [] : [renderFields(lines, paint)];
}
