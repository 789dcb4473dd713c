import { expiryText, relativeTime } from './relative-time.ts';
import type { Cell } from './table.ts';
import type { Colour } from './terminal.ts';

/** How the same things look in every table. */

const GOOD = new Set(['ready', 'connected', 'self', 'ok', 'SERVING', 'mutual_tls', 'yes', 'alive']);
const BAD = new Set(['refused', 'unreachable', 'failed', 'NOT_SERVING', 'no', 'dead']);
const WARNING = new Set(['degraded', 'draining', 'connecting', 'starting', 'tls', 'suspect']);

/** A word of a closed list, in the colour of what it means. */
export function wordCell(word: string): Cell {
  if (GOOD.has(word)) return { text: word, colour: 'good' };
  if (BAD.has(word)) return { text: word, colour: 'bad' };
  return WARNING.has(word) ? { text: word, colour: 'warning' } : word;
}

/** `alive`; of a member that gives trouble since when, too: `dead (7s ago)`. */
export function livenessCell(liveness: string, sinceMs: number, now: Date): Cell {
  const cell = wordCell(liveness);
  if (typeof cell === 'string' || cell.colour === 'good' || sinceMs === 0) return cell;
  return { ...cell, text: `${liveness} (${relativeTime(sinceMs, now)})` };
}

/** `mutual_tls`, or `none (peer_without_tls)`. */
export function securityCell(security: string, reason: string): Cell {
  if (security !== 'none') return wordCell(security);
  return { text: reason === '' ? 'none' : `none (${reason})`, colour: 'warning' };
}

const EXPIRES_SOON_MS = 7 * 86_400_000;

/** A level of expiry, in the colour of its urgency; empty where the end is far. */
export function levelCell(level: string): Cell {
  const colour = colourOfLevel(level);
  return colour === undefined ? level : { text: level, colour };
}

/**
 * `expires in 29d`; empty for 0, which stands for no certificate.
 * @param level of its expiry, empty where the end is far. Default: not known, as where only the time was told.
 */
export function expiryCell(timeMs: number, now: Date, level?: string): Cell {
  const text = expiryText(timeMs, now);
  const colour = level === undefined ? undefined : colourOfLevel(level);
  if (level !== undefined) return colour === undefined ? text : { text, colour };
  const leftMs = timeMs - now.getTime();
  if (text === '' || leftMs > EXPIRES_SOON_MS) return text;
  return { text, colour: leftMs > 0 ? 'warning' : 'bad' };
}

function colourOfLevel(level: string): Colour | undefined {
  if (level === 'critical' || level === 'expired') return 'bad';
  return level === 'warning' ? 'warning' : undefined;
}

/** `3m ago`; empty for 0. */
export function timeCell(timeMs: number, now: Date): Cell {
  return relativeTime(timeMs, now);
}

/** What a node keeps from those who may not see it. */
export function redactable(text: string, isRedacted: boolean): Cell {
  return text === '' && isRedacted ? { text: '(redacted)', colour: 'quiet' } : text;
}

/** `role=worker,zone=a` */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}
