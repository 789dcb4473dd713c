import type { ProcessName } from './journal.ts';

/** The bytes of a message: its id, and filling up to `size`. */
export function encodeMessage(id: string, size: number): Buffer {
  return Buffer.from(`${id}\n`.padEnd(size, '.'));
}

/** The id of a message. */
export function decodeMessage(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  const end = text.indexOf('\n');
  if (end < 0 || !/^\.*$/.test(text.slice(end + 1))) throw new TypeError('not the bytes of one message');
  return text.slice(0, end);
}

/** The bytes of an answer: which message, and who received it. */
export function encodeAnswer(id: string, { node, generation }: ProcessName): Buffer {
  return Buffer.from(JSON.stringify({ id, node, generation }));
}

/** Who answered. Throws where it is the answer to another message than `id`. */
export function decodeAnswer(id: string, bytes: Uint8Array): ProcessName {
  const { id: answered, node, generation } = JSON.parse(Buffer.from(bytes).toString());
  if (answered !== id) throw new TypeError(`${answered} was answered for ${id}`);
  return { node, generation };
}
