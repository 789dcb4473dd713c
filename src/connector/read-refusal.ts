import type { Duplex } from 'node:stream';
import { isRefusalReason, type RefusalReason } from '../errors/refusal-reason.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { printable } from '../telemetry/logger.ts';

const FRAME_HEADER_BYTES = 9;
const FRAME_GOAWAY = 0x7;
const INADEQUATE_SECURITY = 0xc;

/**
 * Looks at the first bytes a server says before HTTP/2 does, and puts them back. Fails when they hold a refusal, so
 * that the dial fails with the reason instead of the first call with none. A server that waits for the client to speak
 * first (HTTP/2 allows that, ours does not) is taken as willing after `patienceMs`.
 * @throws refused
 */
export function expectNoRefusal(socket: Duplex, patienceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.off('error', onError);
      settle();
    };
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      const refusal = refusalIn(chunk);
      if (refusal !== undefined) return done(() => reject(refusal));
      socket.unshift(chunk);
      done(resolve);
    };
    const onEnd = () => done(() => reject(new Error('the server closed the connection before it said anything')));
    const onError = (error: Error) => done(() => reject(error));
    const timer = setTimeout(() => done(resolve), patienceMs);
    socket.on('readable', onReadable);
    socket.once('end', onEnd);
    socket.once('close', onEnd);
    socket.once('error', onError);
  });
}

/** The refusal that `bytes` (the beginning of a server's HTTP/2 connection) holds, if it holds one. */
export function refusalIn(bytes: Buffer): SelvedgeError<'refused'> | undefined {
  for (let offset = 0; offset + FRAME_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUIntBE(offset, 3);
    const payload = bytes.subarray(offset + FRAME_HEADER_BYTES, offset + FRAME_HEADER_BYTES + length);
    if (bytes[offset + 3] === FRAME_GOAWAY && payload.length >= 8 && payload.readUInt32BE(4) === INADEQUATE_SECURITY) {
      return peerRefusal(payload.subarray(8).toString('utf8'));
    }
    offset += FRAME_HEADER_BYTES + length;
  }
  return undefined;
}

function peerRefusal(debugData: string): SelvedgeError<'refused'> {
  const [word = '', ...rest] = debugData.split(': ');
  const known = isRefusalReason(word);
  return refusedByPeer(known ? word : 'handshake_failed', known ? rest.join(': ') : debugData);
}

/** The error of a dial that the other side turned down. `detail` may be a peer's text. */
export function refusedByPeer(reason: RefusalReason, detail: string): SelvedgeError<'refused'> {
  const safe = printable(detail);
  const message = `the peer refused: ${safe === '' ? reason : `${reason}: ${safe}`}`;
  return new SelvedgeError('refused', message, { reason, by: 'peer', detail: safe });
}
