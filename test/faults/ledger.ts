import type { Entry, Outcome, ProcessName, Way } from './journal.ts';

/** The journal of one process, and what was done to it. */
export interface ProcessJournal extends ProcessName {
  readonly entries: readonly Entry[];
  /** When it was killed; undefined where all that it sent had time to end. */
  readonly killedAtMs: number | undefined;
  /** When it was stopped (SIGSTOP): nothing could end then. */
  readonly pauses: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export interface Ledger {
  /** What went against the promises, in words. Empty: nothing did. */
  readonly violations: readonly string[];
  /** How many messages ended in which way: `request answered`, `send failed stream_lost`, `call unsettled`. */
  readonly counts: ReadonlyMap<string, number>;
}

type Sent = Extract<Entry, { what: 'sent' }> & { readonly by: ProcessJournal; readonly order: number };
type Settled = Extract<Entry, { what: 'settled' }>;
type Received = Extract<Entry, { what: 'received' }> & { readonly by: ProcessJournal };

/** Those whose order is promised: a call may go by another connection. */
const ORDERED: readonly Way[] = ['request', 'send', 'publish'];

/**
 * Holds the journals of all processes against one another.
 *
 * L1. What was sent ends exactly once, and within its timeout and `slackMs`, pauses of its sender apart; what a killed
 *     process sent may end with that.
 * L2. What is answered or taken was received, by the process that answered.
 * L3. What failed and is safe to send again was received by nobody.
 * L4. Nothing is received twice, by whatever generations, by another node than it was sent to, or from nobody.
 * L5. Requests and one-way messages of one priority are received in the order in which they were sent.
 */
export function auditJournals(processes: readonly ProcessJournal[], slackMs: number): Ledger {
  const sent = byId(processes.flatMap(by => sentOf(by)));
  const settled = byId(processes.flatMap(({ entries }) => entries.filter(entry => entry.what === 'settled')));
  const received = byId(processes.flatMap(by => receivedOf(by)));
  const violations = [
    ...[...sent.values()].flatMap(([message, ...again]) => {
      const ends = settled.get(message.id) ?? [];
      const receipts = received.get(message.id) ?? [];
      return [
        ...again.map(({ id }) => `${id} was sent twice under one id`),
        ...endOf(message, ends, slackMs),
        ...ends.flatMap(({ outcome }) => contradictionOf(message, outcome, receipts) ?? []),
        ...receiptsOf(message, receipts),
      ];
    }),
    ...[...settled.keys()].filter(id => !sent.has(id)).map(id => `${id} ended and was never sent`),
    ...[...received.keys()].filter(id => !sent.has(id)).map(id => `${id} was received and never sent`),
    ...processes.flatMap(by => disorderOf(by, sent)),
  ];
  return { violations, counts: countsOf(sent, settled) };
}

/** L1. */
function endOf(sent: Sent, ends: readonly Settled[], slackMs: number): readonly string[] {
  const { id, by, atMs, timeoutMs } = sent;
  const [end, ...others] = ends;
  const took = (untilMs: number) => untilMs - atMs - pausedMs(by, atMs, untilMs);
  const allowedMs = timeoutMs + slackMs;
  if (end === undefined) {
    if (by.killedAtMs === undefined) return [`${id} never ended`];
    return took(by.killedAtMs) > allowedMs ? [`${id} had not ended when its sender was killed`] : [];
  }
  const ms = took(end.atMs);
  return [
    ...others.map(other => `${id} ended twice: ${end.outcome.kind}, then ${other.outcome.kind}`),
    ...(ms > allowedMs ? [`${id} ended after ${Math.round(ms)} ms, with a timeout of ${timeoutMs} ms`] : []),
  ];
}

/** L2 and L3: what it was said to have become, against where it was received. */
function contradictionOf({ id, to }: Sent, outcome: Outcome, receipts: readonly Received[]): string | undefined {
  switch (outcome.kind) {
    case 'answered': {
      const { node, generation } = outcome.by;
      if (node !== to) return `${id} was sent to ${to} and answered by ${node}`;
      if (receipts.some(({ by }) => by.node === node && by.generation === generation)) return undefined;
      return `${id} was answered by ${node}/${generation}, which did not receive it`;
    }
    case 'taken':
      return receipts.length > 0 ? undefined : `${id} was taken, and ${to} did not receive it`;
    case 'failed':
      if (outcome.safeToRetry !== true || receipts.length === 0) return undefined;
      return `${id} failed as ${outcome.reason} (${outcome.detail}), safe to send again, and ${to} did receive it`;
  }
}

/** L4. */
function receiptsOf(sent: Sent, receipts: readonly Received[]): readonly string[] {
  const { id } = sent;
  const places = receipts.map(({ by }) => `${by.node}/${by.generation}`);
  return [
    ...(places.length > 1 ? [`${id} was received ${places.length} times: ${places.join(', ')}`] : []),
    ...receipts.flatMap(({ by, from, way, priority }) => [
      ...(by.node === sent.to ? [] : [`${id} was sent to ${sent.to} and received by ${by.node}`]),
      ...(from === sent.by.node ? [] : [`${id} was sent by ${sent.by.node} and received as from ${from}`]),
      ...(way === sent.way ? [] : [`${id} was sent as ${sent.way} and received as ${way}`]),
      ...(priority === undefined || priority === sent.priority
        ? []
        : [`${id} was sent as ${sent.priority} and received as ${priority}`]),
    ]),
  ];
}

/** L5. */
function disorderOf(receiver: ProcessJournal, sent: ReadonlyMap<string, readonly [Sent, ...Sent[]]>): string[] {
  const last = new Map<string, Sent>();
  const violations: string[] = [];
  for (const { id } of receivedOf(receiver)) {
    const [message] = sent.get(id) ?? [];
    if (message === undefined || !ORDERED.includes(message.way)) continue;
    const lane = `${message.by.node}/${message.by.generation} ${message.priority}`;
    const before = last.get(lane);
    // The same one again is L4.
    if (before !== undefined && before.order > message.order)
      violations.push(`${receiver.node} received ${before.id} before ${id}`);
    else last.set(lane, message);
  }
  return violations;
}

function countsOf(
  sent: ReadonlyMap<string, readonly [Sent, ...Sent[]]>,
  settled: ReadonlyMap<string, readonly [Settled, ...Settled[]]>,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [id, [{ way }]] of sent) {
    const outcome = settled.get(id)?.[0].outcome;
    const end = outcome?.kind === 'failed' ? `failed ${outcome.reason}` : (outcome?.kind ?? 'unsettled');
    counts.set(`${way} ${end}`, (counts.get(`${way} ${end}`) ?? 0) + 1);
  }
  return counts;
}

function pausedMs({ pauses }: ProcessJournal, fromMs: number, toMs: number): number {
  return pauses.reduce(
    (sum, pause) => sum + Math.max(0, Math.min(toMs, pause.toMs) - Math.max(fromMs, pause.fromMs)),
    0,
  );
}

function sentOf(by: ProcessJournal): readonly Sent[] {
  return by.entries.flatMap((entry, order) => (entry.what === 'sent' ? [{ ...entry, by, order }] : []));
}

function receivedOf(by: ProcessJournal): readonly Received[] {
  return by.entries.flatMap(entry => (entry.what === 'received' ? [{ ...entry, by }] : []));
}

function byId<T extends { readonly id: string }>(values: readonly T[]): ReadonlyMap<string, readonly [T, ...T[]]> {
  const groups = new Map<string, [T, ...T[]]>();
  for (const value of values) {
    const group = groups.get(value.id);
    if (group === undefined) groups.set(value.id, [value]);
    else group.push(value);
  }
  return groups;
}
