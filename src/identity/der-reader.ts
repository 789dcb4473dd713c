import { SelvedgeError } from '../errors/selvedge-error.ts';

/** One element of DER (X.690): its tag byte, its content, and all of its bytes. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly encoded: Uint8Array;
}

/** Tag bytes of the universal types that certificates use. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

const MAX_LENGTH_BYTES = 4;

/** Throws `certificate_malformed` with the problem. */
export function malformed(problem: string): never {
  throw new SelvedgeError('certificate_malformed', `The certificate cannot be read: ${problem}.`, { problem });
}

/** The one element that the bytes are. Bytes after it, and lengths that are not in their shortest form, are malformed. */
export function parseDer(bytes: Uint8Array): DerElement {
  const element = readElement(bytes, 0);
  if (element.encoded.length !== bytes.length) malformed('bytes follow the end of a structure');
  return element;
}

/** The elements inside a constructed one, in order. */
export function childrenOf(element: DerElement): readonly DerElement[] {
  return splitDer(element.content);
}

/** The elements that stand one after another, in order; none in no bytes. */
export function splitDer(bytes: Uint8Array): readonly DerElement[] {
  return [...eachDer(bytes)];
}

/** As {@link splitDer}, each read when it is asked for. */
export function* eachDer(bytes: Uint8Array): Generator<DerElement, void, undefined> {
  for (let offset = 0; offset < bytes.length; ) {
    const element = readElement(bytes, offset);
    yield element;
    offset += element.encoded.length;
  }
}

/** As {@link childrenOf}, each read when it is asked for. */
export function eachChildOf(element: DerElement): Generator<DerElement, void, undefined> {
  return eachDer(element.content);
}

/** Returns the element when it is there and has the tag; `what` names it in the problem. */
export function expectTag(element: DerElement | undefined, tag: number, what: string): DerElement {
  if (element?.tag !== tag) return malformed(`the ${what} is missing or of another type`);
  return element;
}

export function readBoolean(element: DerElement): boolean {
  const [value] = expectTag(element, TAG.boolean, 'boolean').content;
  if (element.content.length !== 1 || (value !== 0x00 && value !== 0xff))
    malformed('a boolean is neither true nor false');
  return value === 0xff;
}

/** The two's complement bytes of an integer, in the shortest form. */
export function readInteger(element: DerElement | undefined, what: string): Uint8Array {
  const { content } = expectTag(element, TAG.integer, what);
  const [first, second = 0] = content;
  if (first === undefined) malformed(`the ${what} is empty`);
  const padding = second >= 0x80 ? 0xff : 0x00;
  if (content.length > 1 && first === padding) malformed(`the ${what} is not in its shortest form`);
  return content;
}

/** Whether the bit of a number is set in a BIT STRING; bits beyond its end are not. */
export function readBits(element: DerElement): (bit: number) => boolean {
  const [unused, ...bytes] = element.content;
  if (unused === undefined || unused > 7 || (bytes.length === 0 && unused > 0)) malformed('a bit string is damaged');
  return bit => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;
}

/** Dotted decimal. */
export function readObjectIdentifier(element: DerElement | undefined): string {
  const { content } = expectTag(element, TAG.objectIdentifier, 'object identifier');
  if (content.length === 0 || (content.at(-1) ?? 0) >= 0x80) malformed('an object identifier is damaged');
  const arcs: bigint[] = [];
  let arc = 0n;
  let isFresh = true;
  for (const byte of content) {
    if (isFresh && byte === 0x80) malformed('an object identifier is not in its shortest form');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    isFresh = byte < 0x80;
    if (!isFresh) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first = 0n, ...rest] = arcs;
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...rest].join('.');
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280 4.1.2.5 allows: seconds given, no fraction, `Z`. */
export function readTime(element: DerElement | undefined): Date {
  const isShort = element?.tag === TAG.utcTime;
  const { content } = isShort ? element : expectTag(element, TAG.generalizedTime, 'time');
  const text = Buffer.from(content).toString('latin1');
  const [, year = '', month, day, hour, minute, second] =
    (isShort ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/ : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/).exec(
      text,
    ) ?? [];
  const century = isShort ? (Number(year) < 50 ? '20' : '19') : '';
  const iso = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(iso);
  // the round trip refuses what Date would correct, such as 30 February
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) malformed('a time is not of the form RFC 5280 gives');
  return time;
}

function readElement(bytes: Uint8Array, start: number): DerElement {
  const tag = bytes[start];
  const firstLength = bytes[start + 1];
  if (tag === undefined || firstLength === undefined) return malformed('it ends too early');
  if ((tag & 0x1f) === 0x1f) malformed('it has a tag that no certificate uses');
  let contentStart = start + 2;
  let length = firstLength;
  if (firstLength >= 0x80) {
    const lengthBytes = bytes.subarray(contentStart, contentStart + (firstLength & 0x7f));
    contentStart += firstLength & 0x7f;
    length = lengthBytes.reduce((sum, byte) => sum * 256 + byte, 0);
    if (lengthBytes.length > MAX_LENGTH_BYTES || length < 0x80 || lengthBytes[0] === 0)
      malformed('a length is not in its shortest form');
  }
  const end = contentStart + length;
  if (end > bytes.length) malformed('it ends too early');
  return { tag, content: bytes.subarray(contentStart, end), encoded: bytes.subarray(start, end) };
}
