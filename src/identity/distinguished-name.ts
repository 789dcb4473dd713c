import { childrenOf, type DerElement, expectTag, malformed, readObjectIdentifier, TAG } from './der-reader.ts';

const COMMON_NAME = '2.5.4.3';

/** Short names of RFC 4514 3 and those that certificates use besides. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  [COMMON_NAME]: 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** Control, invisible and direction-changing characters, halves of surrogate pairs, line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

interface Attribute {
  readonly oid: string;
  readonly value: DerElement;
}

/**
 * A name in one printable line, most specific part first (RFC 4514). Whatever could forge a separator, break the line
 * or hide is escaped, so the text is safe to print and two different names never look the same by accident.
 */
export function formatName(name: DerElement): string {
  return parseName(name)
    .map(attributes => attributes.map(formatAttribute).join('+'))
    .reverse()
    .join(',');
}

/**
 * The common name: undefined when there is none, several, or one that is empty or not printable text. Several count
 * before any is looked at, so a damaged one does not leave the other alone.
 */
export function commonNameOf(name: DerElement): string | undefined {
  const [commonName, ...others] = presentedCommonNames(name);
  return others.length > 0 ? undefined : commonName;
}

/** All common names that are printable text. */
export function commonNamesOf(name: DerElement): readonly string[] {
  return presentedCommonNames(name).filter(text => text !== undefined);
}

function presentedCommonNames(name: DerElement): readonly (string | undefined)[] {
  return parseName(name)
    .flat()
    .filter(attribute => attribute.oid === COMMON_NAME)
    .map(({ value }) => {
      const text = decodeText(value);
      return text === undefined || text === '' || UNPRINTABLE.test(text) ? undefined : text;
    });
}

function parseName(name: DerElement): readonly (readonly Attribute[])[] {
  return childrenOf(name).map(set => {
    const attributes = childrenOf(expectTag(set, TAG.set, 'part of a name'));
    if (attributes.length === 0) malformed('a part of a name is empty');
    return attributes.map(parseAttribute);
  });
}

function parseAttribute(element: DerElement): Attribute {
  const [id, value, ...more] = childrenOf(expectTag(element, TAG.sequence, 'attribute of a name'));
  if (value === undefined || more.length > 0) malformed('an attribute of a name does not have one value');
  return { oid: readObjectIdentifier(id), value };
}

function formatAttribute({ oid, value }: Attribute): string {
  const shortName = SHORT_NAMES[oid];
  const text = decodeText(value);
  if (shortName === undefined || text === undefined) return `${shortName ?? oid}=#${hex(value.encoded)}`;
  return `${shortName}=${escapeText(text)}`;
}

function escapeText(text: string): string {
  return [...text]
    .map((character, index, all) => {
      if (UNPRINTABLE.test(character)) return hex(Buffer.from(character)).replace(/../g, '\\$&');
      const isEdge = index === 0 || index === all.length - 1;
      const needsEscape =
        /[",+;<>\\]/.test(character) || (character === ' ' && isEdge) || (character === '#' && index === 0);
      return needsEscape ? `\\${character}` : character;
    })
    .join('');
}

/** The text of a string type, or undefined when its bytes are not what the type allows. Nothing is guessed. */
function decodeText({ tag, content }: DerElement): string | undefined {
  switch (tag) {
    case TAG.utf8String:
      return decodeUtf8(content);
    case TAG.printableString:
    case TAG.ia5String:
    case TAG.visibleString:
    case TAG.teletexString: // its upper half has several readings
      return content.every(byte => byte < 0x80) ? Buffer.from(content).toString('latin1') : undefined;
    case TAG.bmpString:
      return decodeCodePoints(content, 2);
    case TAG.universalString:
      return decodeCodePoints(content, 4);
    default:
      return undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function decodeCodePoints(bytes: Uint8Array, width: 2 | 4): string | undefined {
  if (bytes.length % width !== 0) return undefined;
  const buffer = Buffer.from(bytes);
  let text = '';
  for (let offset = 0; offset < bytes.length; offset += width) {
    const point = buffer.readUIntBE(offset, width);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
