import type * as grpc from '@grpc/grpc-js';
import { isSingle, mayCarry } from './metadata-keys.ts';

/** What nghttp2 takes of the headers of one HTTP/2 message, so that the stream carries what an ordinary call does. */
export const MAX_HEADER_BYTES = 65_535;
/** As many as Node's HTTP/2 takes. */
export const MAX_METADATA_VALUES = 128;

/** A variable-length integer of this many bytes holds every length and status code. */
const MAX_VARINT_BYTES = 5;

/** Made once: a header is written here and copied out, so that its length need not be known beforehand. */
const scratch = Buffer.allocUnsafe(MAX_HEADER_BYTES);

/** Writes the header of one request or reply. One at a time: it must not be kept. */
export class HeaderWriter {
  #at = 0;
  #isTooLarge = false;

  /** What was written; undefined where that is more than {@link MAX_HEADER_BYTES} or {@link MAX_METADATA_VALUES}. */
  finish(): Uint8Array | undefined {
    if (this.#isTooLarge) return undefined;
    const header = Buffer.allocUnsafe(this.#at);
    scratch.copy(header, 0, 0, this.#at);
    return header;
  }

  byte(value: number): void {
    if (!this.#fits(1)) return;
    scratch[this.#at] = value;
    this.#at += 1;
  }

  /** @param value an integer from 0 to 2^31 - 1. */
  varint(value: number): void {
    if (!this.#fits(MAX_VARINT_BYTES)) return;
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    if (this.#fits(length)) this.#at += scratch.write(value, this.#at, length);
  }

  /** Characters below 128. A loop: for the short ones of metadata it takes a fraction of what `Buffer.write` does. */
  ascii(value: string): void {
    const { length } = value;
    this.varint(length);
    if (!this.#fits(length)) return;
    for (let at = 0; at < length; at += 1) scratch[this.#at + at] = value.charCodeAt(at);
    this.#at += length;
  }

  bytes(value: Uint8Array): void {
    if (!this.#fits(value.length)) return;
    scratch.set(value, this.#at);
    this.#at += value.length;
  }

  /**
   * A metadata block: each value with its key before it, and the empty key at the end. An empty block is one byte.
   * @returns whether it holds all of the metadata. Left out are keys that HTTP/2 would not carry either, and second
   * values of those it carries once.
   */
  metadata(metadata: grpc.Metadata): boolean {
    let isWhole = true;
    let count = 0;
    const entries = metadata.toJSON();
    for (const key in entries) {
      const values = entries[key] ?? [];
      const sent = !mayCarry(key) ? 0 : values.length > 1 && isSingle(key) ? 1 : values.length;
      if (sent < values.length) isWhole = false;
      for (let at = 0; at < sent; at += 1) this.#entry(key, values[at] ?? '');
      count += sent;
    }
    if (count > MAX_METADATA_VALUES) this.#isTooLarge = true;
    this.byte(0);
    return isWhole;
  }

  #entry(key: string, value: grpc.MetadataValue): void {
    this.ascii(key);
    if (typeof value === 'string') return this.ascii(value);
    this.varint(value.length);
    this.bytes(value);
  }

  #fits(length: number): boolean {
    if (this.#at + length > MAX_HEADER_BYTES) this.#isTooLarge = true;
    return !this.#isTooLarge;
  }
}
