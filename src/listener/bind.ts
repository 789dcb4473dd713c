import { chmodSync, statSync, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatHostPort } from '../identity/address.ts';

/**
 * Makes `server` listen and resolves with the real address (port 0 replaced). A unix socket is never reachable for
 * other users, not even between bind and chmod; a dead one is replaced, one that somebody listens on is not.
 * @throws address_in_use, listen_failed
 */
export async function bind(server: net.Server, address: Address): Promise<Address> {
  if (address.kind === 'unix') await removeDeadSocket(address.path);
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

/** A socket file nobody listens on is left over from a crash. Without the check a second node would take a live one away. */
async function removeDeadSocket(path: string): Promise<void> {
  try {
    if (statSync(path).isSocket() && (await isDead(path))) unlinkSync(path);
  } catch {
    // Nothing there: nothing to remove.
  }
}

/** Only a refused connection proves it; where that cannot be told, `listen` fails and says so. */
function isDead(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', error => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
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
