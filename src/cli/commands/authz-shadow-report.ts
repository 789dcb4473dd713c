import type { Command } from 'commander';
import { nodeControl, type ShadowReportMessage } from '../../rpc/control-messages.ts';
import { timeCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { relativeTime } from '../relative-time.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderFields, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl authz shadow-report` */
export function authzShadowReportCommand(context: CommandContext): Command {
  const command = onlineCommand(
    'shadow-report',
    'calls that the shadow policy of a node would have decided otherwise',
    [
      'selvedgectl authz shadow-report --config node.toml',
      "selvedgectl authz shadow-report -o json | jq '.would_deny == 0 and .calls > 10000'",
    ],
  ).addHelpText(
    'after',
    `
It begins anew when the content of \`authorization.shadow-policy-file\` changes and when the node starts. That nothing would
be denied means something only with the number of calls that were judged, and the time in which they came.`,
  );
  return command.action(async () => {
    const session = sessionOf(command, context);
    const report = await session.call(nodeControl, 'GetShadowReport', {});
    session.print(report, () => renderShadowReport(report, context.terminal));
  });
}

function renderShadowReport(report: ShadowReportMessage, { paint, now }: Terminal): string {
  if (report.policy === '') return 'no policy is tried out: authorization.shadow-policy-file is not set';
  const count = (calls: number): Cell => (calls === 0 ? '0' : { text: String(calls), colour: 'warning' });
  const summary = renderFields(
    [
      ['node', report.nodeName],
      ['shadow policy', report.policy],
      ['since', `${new Date(report.sinceMs).toISOString()} (${relativeTime(report.sinceMs, now())})`],
      ['calls', String(report.calls)],
      ['would deny', count(report.wouldDeny)],
      ['would allow', count(report.wouldAllow)],
      ['not listed', report.overflow === 0 ? '' : count(report.overflow)],
    ],
    paint,
  );
  if (report.divergences.length === 0) return summary;
  const rows = report.divergences.map((each): Cell[] => [
    each.decision,
    each.principal,
    each.method,
    each.rule,
    String(each.count),
    timeCell(each.firstAtMs, now()),
    timeCell(each.lastAtMs, now()),
  ]);
  const headings = ['DECISION', 'PRINCIPAL', 'METHOD', 'RULE', 'CALLS', 'FIRST', 'LAST'];
  return `${summary}\n\n${renderTable(headings, rows, paint)}`;
}
