/** A value of a JSON text with its place. Objects keep every entry, also one whose key was there before. */
export type JsonNode = { readonly offset: number } & JsonContent;

export type JsonContent =
  | { readonly kind: 'object'; readonly entries: readonly JsonEntry[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number' | 'null' };

export interface JsonEntry {
  readonly key: string;
  /** Of the key. */
  readonly offset: number;
  readonly value: JsonNode;
}

/** What is wrong at which offset. */
export interface JsonMistake {
  readonly mistake: string;
  readonly offset: number;
}

const MAX_DEPTH = 64;

/**
 * Reads a JSON text (RFC 8259) so that the place of everything is known and no duplicate key is lost, which `JSON.parse`
 * cannot do. Says what is wrong without repeating the text, which may be another file than was meant.
 */
export function readJson(source: string): JsonNode | JsonMistake {
  const reader = new JsonReader(source);
  try {
    return reader.readDocument();
  } catch (error) {
    if (error instanceof SyntaxError) return { mistake: error.message, offset: reader.offset };
    throw error;
  }
}

/** `line:column`, both from 1. */
export function placeIn(source: string, offset: number): string {
  const before = source.slice(0, offset).split('\n');
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

class JsonReader {
  readonly #source: string;
  offset = 0;

  constructor(source: string) {
    this.#source = source;
  }

  readDocument(): JsonNode {
    const root = this.#readValue(0);
    if (this.offset < this.#source.length) this.#fail('There is more after its end.');
    return root;
  }

  #readValue(depth: number): JsonNode {
    if (depth > MAX_DEPTH) this.#fail(`It is nested more than ${MAX_DEPTH} deep.`);
    this.#skipSpaces();
    const { offset } = this;
    const content = this.#readContent(depth);
    this.#skipSpaces();
    return { offset, ...content };
  }

  #readContent(depth: number): JsonContent {
    switch (this.#source[this.offset]) {
      case '{':
        return { kind: 'object', entries: this.#readList('}', () => this.#readEntry(depth)) };
      case '[':
        return { kind: 'array', items: this.#readList(']', () => this.#readValue(depth + 1)) };
      case '"':
        return { kind: 'string', value: this.#readString() };
      case undefined:
        return this.#fail('It ends too early.');
    }
    if (this.#take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y) !== '') return { kind: 'number' };
    const word = this.#take(/true|false|null/y);
    if (word === '') this.#fail('A value is expected here.');
    return word === 'null' ? { kind: 'null' } : { kind: 'boolean', value: word === 'true' };
  }

  #readEntry(depth: number): JsonEntry {
    this.#skipSpaces();
    const { offset } = this;
    if (this.#source[offset] !== '"') this.#fail('A key in double quotes is expected here.');
    const key = this.#readString();
    this.#skipSpaces();
    if (this.#take(/:/y) === '') this.#fail('A colon is expected here.');
    return { key, offset, value: this.#readValue(depth + 1) };
  }

  #readList<Item>(close: '}' | ']', readItem: () => Item): readonly Item[] {
    this.offset += 1;
    this.#skipSpaces();
    const items: Item[] = [];
    if (this.#source[this.offset] !== close) {
      do items.push(readItem());
      while (this.#take(/,/y) !== '');
    }
    if (this.#source[this.offset] !== close) this.#fail(`A comma or "${close}" is expected here.`);
    this.offset += 1;
    return items;
  }

  #readString(): string {
    const text = this.#take(/"(?:[^"\\\u0000-\u001F]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    if (text === '') this.#fail('The string that begins here has no end, or a character in it that must be escaped.');
    return String(JSON.parse(text));
  }

  #skipSpaces(): void {
    this.#take(/[ \t\r\n]*/y);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.offset;
    const [taken = ''] = pattern.exec(this.#source) ?? [];
    this.offset += taken.length;
    return taken;
  }

  #fail(mistake: string): never {
    throw new SyntaxError(mistake);
  }
}
