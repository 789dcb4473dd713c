import type { Socket } from 'node:net';

/** RFC 9113 3.4: what every HTTP/2 client says first. */
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** RFC 8446 5.1: content type of a TLS handshake record, the first byte of every ClientHello. */
const TLS_HANDSHAKE = 0x16;

/** What the first bytes of a connection say it speaks. `silent`: nothing, or too little, before the deadline. */
export type Sniffed = 'tls' | 'http2' | 'http1' | 'unknown' | 'silent' | 'closed';

/**
 * Reads just enough of a connection to know what it speaks, and puts the bytes back. The whole HTTP/2 preface is
 * awaited, so that a peer which stalls within it is met by the same deadline as one that says nothing.
 */
export function sniff(socket: Socket, timeoutMs: number): Promise<Sniffed> {
  return new Promise(resolve => {
    let seen: Buffer = Buffer.alloc(0);
    const finish = (result: Sniffed) => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('close', onClose);
      socket.off('end', onEnd);
      if (seen.length > 0 && !socket.destroyed) socket.unshift(seen);
      resolve(result);
    };
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const result = classify(seen);
      if (result !== undefined) finish(result);
    };
    const onEnd = () => finish('closed');
    const onClose = () => finish('closed');
    const timer = setTimeout(() => finish('silent'), timeoutMs);
    socket.on('readable', onReadable);
    socket.once('close', onClose);
    socket.once('end', onEnd);
  });
}

/** What `bytes` is the beginning of, or undefined while that cannot be told. */
export function classify(bytes: Buffer): Exclude<Sniffed, 'silent' | 'closed'> | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === TLS_HANDSHAKE) return 'tls';
  const length = Math.min(bytes.length, HTTP2_PREFACE.length);
  if (bytes.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length))) {
    return length === HTTP2_PREFACE.length ? 'http2' : undefined;
  }
  const text = bytes.subarray(0, 16).toString('latin1');
  if (/^[A-Z]{3,10} [/*]/.test(text)) return 'http1';
  // Still inside the method of an HTTP/1 request.
  return /^(?:[A-Z]{1,10}|[A-Z]{3,10} )$/.test(text) ? undefined : 'unknown';
}
