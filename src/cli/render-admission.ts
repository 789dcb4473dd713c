import type { ChainCertificate, Explanation, NameMatch, RolePattern } from '../rpc/explain-messages.ts';
import { expiryCell, wordCell } from './cells.ts';
import type { ExplainedSubject } from './explain-options.ts';
import { type Cell, renderFields } from './table.ts';
import type { Terminal } from './terminal.ts';

/** One object of `tls explain -o json`. The first six fields are those of the contract. */
export function admissionJson({ cert, explanation }: ExplainedSubject): object {
  const { admitted, roles, matched, reason, detail } = explanation;
  const { usage, nodeName, chain, names, rolePatterns, expectation, provesNodes } = explanation;
  return {
    cert,
    admitted,
    roles,
    matched: matchJson(matched),
    reason: reason === '' ? null : reason,
    detail,
    usage,
    nodeName,
    connection: connectionJson(explanation),
    chain,
    names,
    rolePatterns: rolePatterns.map(each => ({ ...each, matched: matchJson(each.matched) })),
    expectation,
    provesNodes,
    refused: refusedJson(explanation),
  };
}

/** Null where no refusal is explained. */
export function refusedJson({ refusedAtMs, refusedReason, remoteAddress }: Explanation): object | null {
  return refusedAtMs === 0 ? null : { atMs: refusedAtMs, reason: refusedReason, remoteAddress };
}

/** Null where no connection is explained. */
export function connectionJson({ connectionId, direction, remoteAddress, security }: Explanation): object | null {
  return connectionId === 0 ? null : { id: connectionId, direction, remoteAddress, security };
}

export function renderAdmission(subject: ExplainedSubject, terminal: Terminal): string {
  const { admitted, roles, reason, detail, chain, names, rolePatterns, expectation, provesNodes } = subject.explanation;
  const nearest = expectation?.nearest ?? null;
  return renderFields(
    [
      ...subjectFields(subject),
      ['admitted', wordCell(admitted ? 'yes' : 'no')],
      ['roles', roles.join(', ')],
      ['reason', reason],
      ['detail', detail],
      [
        'expected',
        expectation === null ? '' : `${expectation.kind} of ${expectation.profile}: ${expectation.expected.join(', ')}`,
      ],
      ['nearest', nearest === null ? '' : missText(nearest)],
      ...rolePatterns.map((each): [string, Cell] => [`as ${each.role}`, rolePatternText(each)]),
      ['CN', names?.commonName ?? ''],
      ['DNS names', names?.dnsNames ?? []],
      ['URIs', names?.uris ?? []],
      ['IP addresses', names?.ipAddresses ?? []],
      ['SPIFFE ID', names?.spiffeId ?? ''],
      ['proves', provesNodes.join(', ')],
      ...chain.flatMap((each, depth) => chainFields(each, depth, terminal.now())),
    ],
    terminal.paint,
  );
}

/** Whom an explanation is about. */
export function subjectFields({ cert, explanation }: ExplainedSubject): readonly [string, Cell][] {
  const { connectionId, direction, remoteAddress, security, nodeName, refusedAtMs, refusedReason } = explanation;
  return [
    ['certificate', cert ?? ''],
    [
      'connection',
      connectionId === 0
        ? ''
        : `${connectionId}, ${direction}, ${direction === 'inbound' ? 'from' : 'to'} ${remoteAddress}, ${security}`,
    ],
    ['was refused', refusedAtMs === 0 ? '' : `${dateText(refusedAtMs)}, ${remoteAddress}: ${refusedReason}`],
    ['node', nodeName],
  ];
}

function matchJson(match: NameMatch | null): object | null {
  return match === null ? null : { pattern: match.pattern, kind: match.kind, value: match.value };
}

function rolePatternText({ matched, nearest, patterns }: RolePattern): string {
  if (matched !== null) return `by ${JSON.stringify(matched.pattern)}`;
  if (patterns === 0) return 'no: the list is empty';
  return nearest === null
    ? 'no: no name is of a kind that a pattern asks for'
    : `no: the nearest is ${missText(nearest)}`;
}

function missText({ pattern, kind, value, why }: NameMatch): string {
  return `${JSON.stringify(pattern)} for the ${kind} name ${JSON.stringify(value)}: ${why}`;
}

function chainFields(certificate: ChainCertificate, depth: number, now: Date): readonly [string, Cell][] {
  const { subject, issuer, fingerprintSha256, notBeforeMs, notAfterMs, isAnchor } = certificate;
  const until = expiryCell(notAfterMs, now);
  const validity = `${dateText(notBeforeMs)} to ${dateText(notAfterMs)}, ${typeof until === 'string' ? until : until.text}`;
  return [
    [depth === 0 ? 'leaf' : 'issuer', `${subject}${isAnchor ? ' (trust anchor)' : `, issued by ${issuer}`}`],
    ['', typeof until === 'string' ? validity : { text: validity, colour: until.colour }],
    ['', `sha256 ${fingerprintSha256}`],
  ];
}

function dateText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}
