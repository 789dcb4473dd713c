import type { CaStatus, RootStatus, RootVerdict } from '../rpc/ca-messages.ts';
import { expiryCell, redactable, wordCell } from './cells.ts';
import { type Cell, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

const HEADINGS = ['ROOT', 'FINGERPRINT', 'CERTIFICATE', 'TRUSTED BY', 'PRESENTED BY', 'SAFE TO SWITCH', 'SAFE TO DROP'];

/** Each root, then who is in the way of what. */
export function renderCaStatus(status: CaStatus, { paint, now }: Pick<Terminal, 'paint' | 'now'>): string {
  const { roots, members, unreachable, unknown, addressesRedacted } = status;
  const rows = roots.map((root): Cell[] => [
    redactable(root.subject, addressesRedacted),
    digitsOf(root),
    expiryCell(root.notAfterMs, now()),
    redactable(addressesRedacted ? '' : trustedBy(root, members), addressesRedacted),
    redactable(addressesRedacted ? '' : `${root.presented} of ${members}`, addressesRedacted),
    verdictCell(root.switch),
    verdictCell(root.drop),
  ]);
  const names = new Set(unreachable.map(({ nodeName }) => nodeName));
  const reasons = roots.flatMap(root => [...reasonRows(root, 'switch', names), ...reasonRows(root, 'drop', names)]);
  const silent = unreachable.map(({ nodeName, reason }) => [nodeName, reason]);
  return [
    renderTable(HEADINGS, rows, paint),
    ...(reasons.length === 0 ? [] : [renderTable(['ROOT', 'NOT SAFE TO', 'MEMBERS', 'REASON'], reasons, paint)]),
    ...(silent.length === 0 ? [] : [renderTable(['UNKNOWN', 'REASON'], silent, paint)]),
    ...(unknown > silent.length ? [paint('bad', `${unknown} of ${members} did not answer`)] : []),
  ].join('\n\n');
}

export interface RootAnswer extends RootVerdict {
  readonly step: 'switch' | 'drop';
  readonly subject: string;
  readonly fingerprintSha256: string;
  readonly addressesRedacted: boolean;
}

/** The answer to one question about one root. */
export function renderRootVerdict(answer: RootAnswer, { paint }: Pick<Terminal, 'paint'>): string {
  const { step, safe, subject, inTheWay, obstacles, addressesRedacted } = answer;
  const what = step === 'switch' ? 'switch to' : 'drop';
  const name = `${what} ${subject === '' ? digitsOf(answer) : `${subject} (${digitsOf(answer)})`}`;
  if (safe) return paint('good', `safe to ${name}`);
  const verdict = paint('bad', `not safe to ${name}${addressesRedacted ? '' : `: ${inTheWay} in the way`}`);
  if (obstacles.length === 0) return verdict;
  const rows = obstacles.map(({ nodeName, reason }) => [nodeName, reason]);
  return `${renderTable(['MEMBER', 'REASON'], rows, paint)}\n\n${verdict}`;
}

function digitsOf({ fingerprintSha256 }: Pick<RootStatus, 'fingerprintSha256'>): string {
  return fingerprintSha256.slice(0, 16);
}

/** `3 of 3`, or each direction where they differ. */
function trustedBy(root: RootStatus, members: number): string {
  const { trustedAsServer: server, trustedAsClient: client, trustedByProfiles: profiles } = root;
  const both = server === client ? `${server} of ${members}` : `${server} as server, ${client} as client of ${members}`;
  return profiles === 0 ? both : `${both}, ${profiles} in profiles`;
}

function verdictCell(verdict: RootVerdict | null): Cell {
  return wordCell(verdict?.safe === true ? 'yes' : 'no');
}

/** One row a reason; those that did not answer have a table of their own. */
function reasonRows(root: RootStatus, step: 'switch' | 'drop', silent: ReadonlySet<string>): Cell[][] {
  const members = new Map<string, string[]>();
  for (const { nodeName, reason } of root[step]?.obstacles ?? []) {
    if (!silent.has(nodeName)) members.set(reason, [...(members.get(reason) ?? []), nodeName]);
  }
  return [...members].map(([reason, names]) => [digitsOf(root), step, names.join(', '), reason]);
}
