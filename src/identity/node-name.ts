import { SelvedgeError } from '../errors/selvedge-error.ts';
import { quoted, withoutKey } from './quoted.ts';

const NODE_NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/**
 * Returns the text when it is a node name: 1 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit
 * at both ends. Throws `node_name_invalid` otherwise; nothing is corrected or trimmed.
 */
export function parseNodeName(text: string): string {
  if (isNodeName(text)) return text;
  throw new SelvedgeError(
    'node_name_invalid',
    `${quoted(text)} is not a node name: use 1 to 63 of a-z, 0-9, "." and "-", with a letter or digit at both ends.`,
    { name: withoutKey(text) },
  );
}

/** True for a node name; what a peer or a file says is checked with this before it is used as one. */
export function isNodeName(text: string): boolean {
  return NODE_NAME.test(text);
}
