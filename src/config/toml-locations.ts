import { parse } from 'smol-toml';
import type { KeyPath } from './field.ts';

/** Counted from 1, as editors do. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/**
 * Where the keys, tables and list elements of a TOML document stand, which the parser does not tell. The document must
 * be valid TOML; of another one the positions mean nothing.
 */
export class TomlLocations {
  readonly #source: string;
  readonly #offsets = new Map<string, number>();
  /** Of each list of tables: the index of the table that was opened last. */
  readonly #openTables = new Map<string, number>();
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#readDocument();
  }

  /** The position of `path`, or of the nearest thing around it; the beginning of the document where there is none. */
  find(path: KeyPath): TextPosition {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(keyOf(path.slice(0, length)));
      if (offset !== undefined) return this.#positionOf(offset);
    }
    return { line: 1, column: 1 };
  }

  #readDocument(): void {
    let table: KeyPath = [];
    for (;;) {
      this.#skipBlank();
      if (this.#at >= this.#source.length) return;
      if (this.#source[this.#at] === '[') table = this.#readHeader();
      else this.#readEntry(table);
    }
  }

  /** `[a.b]` or `[[a.b]]`; returns the path of the table it opens. */
  #readHeader(): KeyPath {
    const start = this.#at;
    const isList = this.#source.startsWith('[[', start);
    this.#at += isList ? 2 : 1;
    const parts = this.#readKey().map(part => part.name);
    this.#at += isList ? 2 : 1;

    let path: KeyPath = [];
    for (const [depth, part] of parts.entries()) {
      path = [...path, part];
      const list = keyOf(path);
      this.#note(path, start);
      if (isList && depth === parts.length - 1) this.#openTables.set(list, (this.#openTables.get(list) ?? -1) + 1);
      const index = this.#openTables.get(list);
      if (index !== undefined) path = [...path, index];
    }
    // Said in so many words: this counts more than a place that only implied the table.
    this.#offsets.set(keyOf(path), start);
    return path;
  }

  /** `a.b = value`, in a table or between the braces of an inline one. */
  #readEntry(table: KeyPath): void {
    let path = table;
    for (const part of this.#readKey()) {
      path = [...path, part.name];
      this.#note(path, part.offset);
    }
    this.#at += 1; // the equals sign
    this.#readValue(path);
  }

  #readKey(): { readonly name: string; readonly offset: number }[] {
    const parts: { name: string; offset: number }[] = [];
    do {
      if (this.#source[this.#at] === '.') this.#at += 1;
      this.#skipSpaces();
      const offset = this.#at;
      parts.push({ name: this.#readKeyPart(), offset });
      this.#skipSpaces();
    } while (this.#source[this.#at] === '.');
    return parts;
  }

  #readKeyPart(): string {
    const start = this.#at;
    const quote = this.#source[start];
    if (quote === '"' || quote === "'") {
      this.#readString();
      return Object.keys(parse(`${this.#source.slice(start, this.#at)} = 0`))[0] ?? '';
    }
    return this.#take(/[A-Za-z0-9_-]*/y);
  }

  #readValue(path: KeyPath): void {
    this.#skipSpaces();
    const first = this.#source[this.#at];
    if (first === '"' || first === "'") this.#readString();
    else if (first === '[') this.#readItems(']', index => this.#readElement([...path, index]));
    else if (first === '{') this.#readItems('}', () => this.#readEntry(path));
    else this.#take(/[^,\]}#\r\n]*/y);
  }

  #readElement(path: KeyPath): void {
    this.#note(path, this.#at);
    this.#readValue(path);
  }

  #readItems(close: string, readItem: (index: number) => void): void {
    this.#at += 1;
    for (let index = 0; ; index++) {
      this.#skipBlank();
      if (this.#at >= this.#source.length) return;
      if (this.#source[this.#at] === close) break;
      const start = this.#at;
      readItem(index);
      if (this.#at === start) this.#at += 1; // only in a document that is not valid: it must still come to an end
      this.#skipBlank();
      if (this.#source[this.#at] === ',') this.#at += 1;
    }
    this.#at += 1;
  }

  #readString(): void {
    const text = /"""(?:\\.|[^\\])*?"{3,5}|'''.*?'{3,5}|"(?:\\.|[^"\\])*"|'[^']*'/sy;
    if (this.#take(text) === '') this.#at = this.#source.length;
  }

  #skipSpaces(): void {
    this.#take(/[ \t]*/y);
  }

  #skipBlank(): void {
    this.#take(/(?:[ \t\r\n\uFEFF]|#[^\n]*)*/y);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [taken = ''] = pattern.exec(this.#source) ?? [];
    this.#at += taken.length;
    return taken;
  }

  /** The first place counts: of a table that is only implied, the first thing in it. */
  #note(path: KeyPath, offset: number): void {
    const key = keyOf(path);
    if (!this.#offsets.has(key)) this.#offsets.set(key, offset);
  }

  #positionOf(offset: number): TextPosition {
    const before = this.#source.slice(0, offset).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
}

function keyOf(path: KeyPath): string {
  return JSON.stringify(path);
}
