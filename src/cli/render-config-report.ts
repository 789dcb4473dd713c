import { formatConfigProblem } from '../config/load-config.ts';
import { formatAddress } from '../identity/address.ts';
import type { NodeSettings } from '../node/node-settings.ts';
import { expiryCell } from './cells.ts';
import type { ConfigReport } from './check-config.ts';
import type { CheckedSet } from './check-credential-sets.ts';
import { type Cell, renderFields } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Prints a report: problems and warnings as lines on standard error; where there is no problem, what the node would be. */
export function printConfigReport(report: ConfigReport, file: string, terminal: Terminal): void {
  for (const problem of report.problems)
    terminal.printError(`${terminal.paint('bad', 'problem:')} ${formatConfigProblem(problem)}`);
  for (const warning of report.warnings) terminal.printError(`${terminal.paint('warning', 'warning:')} ${warning}`);
  if (report.problems.length > 0 || report.settings === undefined) return;
  terminal.print(`${terminal.paint('good', 'ok')} ${file}`);
  terminal.print(renderSummary(report.settings, report, terminal));
}

/** The report for programs. */
export function configReportAsJson({ problems, warnings, settings, credentials, memberNames }: ConfigReport): object {
  return {
    ok: problems.length === 0,
    problems,
    warnings,
    node: settings?.nodeName ?? null,
    cluster: settings?.clusterName ?? null,
    mode: settings?.mode ?? null,
    credentials: credentials.map(({ usage, own, anchors }) => ({
      usage,
      place: own.place,
      subject: own.identity.subject,
      names: namesOf(own.identity),
      fingerprintSha256: own.identity.fingerprint256,
      notAfter: own.identity.notAfter,
      anchors: anchors.map(({ identity }) => ({ subject: identity.subject, notAfter: identity.notAfter })),
    })),
    members: memberNames ?? null,
  };
}

function renderSummary(
  settings: NodeSettings,
  { credentials, memberNames }: ConfigReport,
  { paint, now }: Terminal,
): string {
  const { tls, networking, authorization } = settings;
  const patterns = (list: readonly { readonly text: string }[]): string[] => list.map(({ text }) => text);
  return renderFields(
    [
      ['node', `${settings.nodeName} of cluster ${settings.clusterName}`],
      ['mode', settings.mode],
      ['listens on', formatAddress(networking.bindAddress)],
      ['advertises', (networking.advertised ?? []).map(formatAddress)],
      ['admin socket', settings.adminSocket],
      ...credentials.flatMap(set => credentialFields(set, now())),
      [
        'TLS clients',
        tls === undefined ? '' : needOfClients(tls.requireClientAuth, authorization.bearer !== undefined),
      ],
      ['peers', patterns(tls?.allowedSubjectNames ?? [])],
      ['policy', authorization.policyFile ?? 'the built-in rules alone'],
      ['shadow policy', authorization.shadowPolicyFile ?? ''],
      ['audit records', settings.audit.file ?? 'in the log'],
      ['tokens from', authorization.bearer?.tokenFile ?? ''],
      ['JWTs of', authorization.bearer?.jwt?.issuer ?? ''],
      ['admins', patterns(authorization.adminSubjectNames)],
      ['observers', patterns(authorization.observerSubjectNames)],
      ['members', (memberNames ?? []).join(', ')],
    ],
    paint,
  );
}

function needOfClients(requireClientAuth: boolean, takesTokens: boolean): string {
  if (!requireClientAuth) return 'need no certificate';
  return takesTokens ? 'need a certificate, or a token for control services' : 'need a certificate';
}

function credentialFields({ usage, own, anchors }: CheckedSet, now: Date): [string, Cell | readonly Cell[]][] {
  const expiring = (subject: string, notAfter: Date): Cell => {
    const cell = expiryCell(notAfter.getTime(), now);
    if (typeof cell === 'string') return `${subject}, ${cell}`;
    return { ...cell, text: `${subject}, ${cell.text}` };
  };
  const { subject, notAfter } = own.identity;
  return [
    [`${usage} certificate`, [expiring(subject, notAfter), ...namesOf(own.identity)]],
    [`${usage} from`, [own.place]],
    [`${usage} trusts`, anchors.map(({ identity }) => expiring(identity.subject, identity.notAfter))],
  ];
}

function namesOf(identity: CheckedSet['own']['identity']): string[] {
  return [...identity.uris, ...identity.dnsNames, ...identity.ipAddresses];
}
