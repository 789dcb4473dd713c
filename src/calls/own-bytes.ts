/** A view may keep at most this many times its own size in memory. */
const MAX_WASTE = 4;

/**
 * The bytes of a message for an application, which may keep them, or parts of them, for as long as it likes: generated
 * code reads `bytes` fields as views. A small part of a large buffer is copied out of it.
 */
export function ownBytes(view: Buffer): Buffer {
  return view.length * MAX_WASTE < view.buffer.byteLength ? Buffer.from(view) : view;
}
