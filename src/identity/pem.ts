import { SelvedgeError } from '../errors/selvedge-error.ts';

/** One block of a PEM text (RFC 7468). */
export interface PemBlock {
  /** Such as `CERTIFICATE` or `PRIVATE KEY`. */
  readonly label: string;
  readonly der: Uint8Array;
}

const BEGIN = /^-----BEGIN ([A-Z0-9][A-Z0-9 ]*)-----$/;
const END = /^-----END ([A-Z0-9][A-Z0-9 ]*)-----$/;
const BASE64_LINE = /^[A-Za-z0-9+/]+={0,2}$/;
const LINE_LENGTH = 64;

/**
 * The blocks of a PEM text, in order; none for a text without a block. Text between blocks is ignored. A damaged block
 * (no end, another end, headers, a bad character, nothing inside) throws `certificate_malformed`: half of a file is
 * never taken for the whole.
 */
export function splitPem(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly lines: string[] } | undefined;
  for (const [index, rawLine] of text.split(/\r\n|\n|\r/).entries()) {
    const line = rawLine.replace(/^\ufeff/, '').trim();
    const number = index + 1;
    // Nearly all lines of a long file: none of the questions below is for them.
    if (open !== undefined && BASE64_LINE.test(line) && !open.lines.at(-1)?.endsWith('=')) {
      open.lines.push(line);
      continue;
    }
    const begin = BEGIN.exec(line)?.[1];
    const end = END.exec(line)?.[1];
    if (begin !== undefined) {
      if (open !== undefined) damaged(number, `a block begins inside the one of line ${open.line}`);
      open = { label: begin, line: number, lines: [] };
    } else if (end !== undefined) {
      if (open === undefined || open.label !== end) damaged(number, `"END ${end}" does not end a block of that name`);
      blocks.push({ label: open.label, der: decode(open.lines.join(''), open.line) });
      open = undefined;
    } else if (/-----\s*(BEGIN|END)\b/.test(line)) {
      damaged(number, 'a BEGIN or END line is not of the form "-----BEGIN LABEL-----" alone on its line');
    } else if (open !== undefined && line !== '') {
      if (line.includes(':')) damaged(number, 'a block with headers, such as an encrypted key, is not supported');
      damaged(number, 'a line is not base64');
    }
  }
  if (open !== undefined) damaged(open.line, `the block "${open.label}" has no end`);
  return blocks;
}

/** A PEM block of lines of 64 characters, ending in a newline so that blocks can be joined. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines: string[] = [];
  for (let start = 0; start < base64.length; start += LINE_LENGTH) lines.push(base64.slice(start, start + LINE_LENGTH));
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function decode(base64: string, line: number): Uint8Array {
  const bytes = Buffer.from(base64, 'base64');
  // Node skips what it cannot read; what does not come back the same was damaged
  if (bytes.length === 0 || bytes.toString('base64') !== base64) damaged(line, 'its base64 is empty or damaged');
  return bytes;
}

function damaged(line: number, problem: string): never {
  const place = `line ${line}: ${problem}`;
  throw new SelvedgeError('certificate_malformed', `The PEM text cannot be read: ${place}.`, { problem: place });
}
