import { chmodSync, statSync, unlinkSync } from 'node:fs';
import type * as net from 'node:net';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatHostPort } from '../identity/address.ts';

/**
 * Makes `server` listen and resolves with the real address (port 0 replaced). A unix socket is never reachable for
 * other users, not even between bind and chmod; a dead one is replaced.
 * @throws address_in_use, listen_failed
 */
export function bind(server: net.Server, address: Address): Promise<Address> {
  if (address.kind === 'unix') removeDeadSocket(address.path);
  const options = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(listenError(error, address));
    server.once('error', onError);
    const previousMask = address.kind === 'unix' ? process.umask(0o177) : undefined;
    server.listen(options, () => {
      server.off('error', onError);
      if (address.kind === 'unix') chmodSync(address.path, 0o600);
      const bound = server.address();
      const isTcp = address.kind === 'tcp' && bound !== null && typeof bound === 'object';
      resolve(isTcp ? { ...address, port: bound.port } : address);
    });
    if (previousMask !== undefined) process.umask(previousMask);
  });
}

/** A socket file nobody listens on is left over from a crash; the data directory's lock says that its owner is gone. */
function removeDeadSocket(path: string): void {
  try {
    if (statSync(path).isSocket()) unlinkSync(path);
  } catch {
    // Nothing there: nothing to remove.
  }
}

function listenError(error: Error, address: Address): SelvedgeError {
  const text = address.kind === 'unix' ? `unix:${address.path}` : formatHostPort(address);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return new SelvedgeError('address_in_use', `${text} is in use by another process`, { address: text });
  }
  return new SelvedgeError('listen_failed', `cannot listen on ${text}: ${messageOf(error)}`, {
    address: text,
    problem: messageOf(error),
  });
}
