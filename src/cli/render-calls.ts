import type { MethodExplanation, PolicyDecision } from '../rpc/explain-messages.ts';
import { wordCell } from './cells.ts';
import type { ExplainedSubject } from './explain-options.ts';
import { connectionJson, refusedJson, subjectFields } from './render-admission.ts';
import { type Cell, renderFields, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** One object of `authz explain -o json`. */
export function callsJson({ cert, explanation }: ExplainedSubject): object {
  const { nodeName, admitted, reason, detail, roles, principal, methods } = explanation;
  return {
    cert,
    nodeName,
    connection: connectionJson(explanation),
    refused: refusedJson(explanation),
    admitted,
    reason: reason === '' ? null : reason,
    detail,
    roles,
    principal,
    methods: methods.map(({ method, served, enforced, shadow }) => ({ method, served, ...enforced, shadow })),
  };
}

export function renderCalls(subject: ExplainedSubject, { paint }: Terminal): string {
  const { admitted, reason, detail, roles, principal, methods } = subject.explanation;
  const fields = renderFields(
    [
      ...subjectFields(subject),
      ['principal', principal],
      ['admitted', wordCell(admitted ? 'yes' : 'no')],
      ['roles', roles.join(', ')],
      ['reason', reason],
      ['detail', detail],
    ],
    paint,
  );
  if (methods.length === 0) return fields;
  return `${fields}\n\n${renderTable(['METHOD', 'MAY', 'POLICY', 'RULE', 'WHY'], methods.flatMap(rowsOf), paint)}`;
}

/** A second row where the shadow policy decides otherwise. */
function rowsOf({ method, served, enforced, shadow }: MethodExplanation): Cell[][] {
  const known = served ? method : `${method} (not served)`;
  const differs = shadow !== null && shadow.allowed !== enforced?.allowed;
  return [
    ...(enforced === null ? [] : [[known, ...decisionCells(enforced)]]),
    ...(differs ? [['  the shadow policy would say', ...decisionCells(shadow)]] : []),
  ];
}

function decisionCells({ allowed, policy, rule, why }: PolicyDecision): Cell[] {
  return [wordCell(allowed ? 'yes' : 'no'), policy, rule, why];
}
