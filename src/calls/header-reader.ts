import * as grpc from '@grpc/grpc-js';
import { MAX_HEADER_BYTES, MAX_METADATA_VALUES } from './header-writer.ts';
import { isSingle, mayCarry } from './metadata-keys.ts';

/** What another node sent is not a header. */
export class MalformedHeader extends Error {}

/** Reads what a `HeaderWriter` wrote, or anything else that another node may send. Each of its methods throws MalformedHeader. */
export class HeaderReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    if (bytes.length > MAX_HEADER_BYTES) throw new MalformedHeader('too large');
    this.#bytes = bytes;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new MalformedHeader('cut short');
    this.#at += 1;
    return value;
  }

  /** From 0 to 2^31 - 1. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0x7fff_ffff) break;
        return value;
      }
    }
    throw new MalformedHeader('a number is out of range');
  }

  text(encoding: 'utf8' | 'latin1'): string {
    const length = this.varint();
    const from = this.#skip(length);
    return this.#bytes.toString(encoding, from, this.#at);
  }

  /**
   * Metadata as it would have come over HTTP/2: values of a text key are joined with a comma, as Node does, so that whoever
   * reads or judges them finds the same whichever way a call came.
   */
  metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    const texts = new Map<string, string>();
    let count = 0;
    for (let key = this.text('latin1'); key !== ''; key = this.text('latin1')) {
      count += 1;
      if (count > MAX_METADATA_VALUES || !mayCarry(key)) throw new MalformedHeader('a key that may not be sent');
      if (key.endsWith('-bin')) metadata.add(key, this.#ownBytes());
      else this.#addText(texts, metadata, key);
    }
    for (const [key, value] of texts) setText(metadata, key, value);
    return metadata;
  }

  /** There is nothing more. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new MalformedHeader('something follows it');
  }

  #addText(texts: Map<string, string>, metadata: grpc.Metadata, key: string): void {
    const value = this.text('latin1');
    const before = texts.get(key);
    if (before !== undefined && isSingle(key)) throw new MalformedHeader('a key that is sent once was repeated');
    // Each value is looked through once, however often its key came; the place of the key is that of the first.
    if (before === undefined) metadata.set(key, '');
    texts.set(key, before === undefined ? value : `${before}, ${value}`);
  }

  /** A copy: metadata may be kept for long, and what it was received with would be kept with it. */
  #ownBytes(): Buffer {
    const length = this.varint();
    const from = this.#skip(length);
    return Buffer.from(this.#bytes.subarray(from, this.#at));
  }

  /** @returns where the bytes begin that were passed over. */
  #skip(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new MalformedHeader('cut short');
    this.#at += length;
    return from;
  }
}

function setText(metadata: grpc.Metadata, key: string, value: string): void {
  try {
    metadata.set(key, value);
  } catch {
    throw new MalformedHeader('a value has illegal characters');
  }
}
