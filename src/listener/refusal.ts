import type { RefusalReason } from '../errors/refusal-reason.ts';

const FRAME_SETTINGS = 0x4;
const FRAME_GOAWAY = 0x7;
const INADEQUATE_SECURITY = 0xc;

/**
 * What a refused HTTP/2 peer gets before any parser runs for it: an empty SETTINGS and a
 * GOAWAY(INADEQUATE_SECURITY) whose debug data is `reason: detail` (RFC 9113 6.5, 6.8, 9.2).
 */
export function goawayBytes(reason: RefusalReason, detail: string): Buffer {
  const text = Buffer.from(detail === '' ? reason : `${reason}: ${detail}`, 'utf8');
  const goaway = Buffer.alloc(8 + text.length);
  goaway.writeUInt32BE(0, 0);
  goaway.writeUInt32BE(INADEQUATE_SECURITY, 4);
  text.copy(goaway, 8);
  return Buffer.concat([frame(FRAME_SETTINGS, Buffer.alloc(0)), frame(FRAME_GOAWAY, goaway)]);
}

function frame(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  return Buffer.concat([header, payload]);
}

/** TLS alerts we write ourselves, because no TLS stack runs for the connection (RFC 8446 6.2). */
export const TLS_ALERT = { internal_error: 80, insufficient_security: 71 } as const;

/** One fatal alert in a plaintext TLS record. */
export function alertBytes(alert: keyof typeof TLS_ALERT): Buffer {
  return Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, TLS_ALERT[alert]]);
}

/** For a person with a browser or curl: an answer in the HTTP they speak. */
export function http1Bytes(): Buffer {
  const body = 'This port speaks gRPC over HTTP/2.\n';
  return Buffer.from(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  );
}
