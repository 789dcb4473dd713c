import { createHash } from 'node:crypto';
import * as tls from 'node:tls';
import { reasonOfTlsError } from '../../src/connector/alert-reason.ts';
import { refusalIn } from '../../src/connector/read-refusal.ts';
import type { PemPair } from '../../src/dev-pki/signer.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';

/** What one new handshake on a fabric port showed. */
export interface FabricProbe {
  /** SHA-256 of the leaf that the node showed, hexadecimal. */
  readonly leaf: string;
  /** When its handshake was complete, in Unix milliseconds. */
  readonly atMs: number;
  /** Why our certificate was refused; undefined when it was admitted. */
  readonly refusal: RefusalReason | undefined;
}

const DEADLINE_MS = 30_000;

/** Makes a TLS handshake of its own, shows `pair`, and waits until the node admits or refuses it. */
export function probeFabric(port: number, pair: PemPair): Promise<FabricProbe> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      cert: pair.certPem,
      key: pair.keyPem,
      ALPNProtocols: ['h2'],
      // What is shown is what we came to see, whoever vouches for it.
      rejectUnauthorized: false,
    });
    let seen: Omit<FabricProbe, 'refusal'> | undefined;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const answered = (refusal: RefusalReason | undefined) => {
      const shown = seen;
      if (shown !== undefined) end(() => resolve({ ...shown, refusal }));
    };
    const timer = setTimeout(
      () => end(() => reject(new Error(`port ${port} said nothing within ${DEADLINE_MS} ms`))),
      DEADLINE_MS,
    );
    socket.once('secureConnect', () => {
      seen = { leaf: fingerprintOf(socket.getPeerCertificate().raw), atMs: Date.now() };
    });
    // A node that admits says its SETTINGS first; one that refuses says why.
    socket.once('data', (bytes: Buffer) => answered(refusalIn(bytes)?.facts.reason));
    socket.once('error', error => {
      const refusal = seen === undefined ? undefined : reasonOfTlsError(error);
      if (refusal === undefined) end(() => reject(error));
      else answered(refusal.reason);
    });
    socket.once('close', () => end(() => reject(new Error(`port ${port} closed the connection without a word`))));
  });
}

/** SHA-256 of a certificate, as logs and messages of a node write it. */
export function fingerprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}
