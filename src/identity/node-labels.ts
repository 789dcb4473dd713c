import { quoted } from './quoted.ts';

/** Longest name and value of a label, and longest zone, in characters. */
export const MAX_LABEL_LENGTH = 128;
/** What a node weighs where nobody says more. */
export const DEFAULT_WEIGHT = 1;
/** As in SRV records (RFC 2782). */
export const MAX_WEIGHT = 65_535;

/** What is wrong with a label of a node, as a sentence; undefined where nothing is. */
export function problemOfLabel(name: string, value: string): string | undefined {
  if (name.trim() === '') return 'A label needs a name.';
  if (isLabelText(name) && isLabelText(value)) return undefined;
  return `The name and the value of a label have at most ${MAX_LABEL_LENGTH} characters, none of them a control character.`;
}

/** What is wrong with a zone, as a sentence; undefined where nothing is. */
export function problemOfZone(zone: string): string | undefined {
  if (zone.trim() === '') return 'A zone needs a name.';
  if (isLabelText(zone)) return undefined;
  return `A zone has at most ${MAX_LABEL_LENGTH} characters, none of them a control character.`;
}

/** What is wrong with a weight, as a sentence; undefined where nothing is. */
export function problemOfWeight(weight: unknown): string | undefined {
  if (Number.isInteger(weight) && Number(weight) >= 0 && Number(weight) <= MAX_WEIGHT) return undefined;
  const given = typeof weight === 'string' ? quoted(weight) : String(weight);
  return `${given} is not a weight: write a whole number from 0 to ${MAX_WEIGHT}.`;
}

function isLabelText(text: string): boolean {
  return text.length <= MAX_LABEL_LENGTH && !/\p{Cc}/u.test(text);
}
