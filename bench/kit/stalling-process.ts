// A process whose connections begin and then say nothing more. Started by `Child`.
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { answerParent } from './child.ts';

export interface StallingCommands {
  /** Opens connections to a port of loopback: `silent` that say nothing, then `half` with half a ClientHello. */
  open(port: number, silent: number, half: number): Promise<void>;
  /** How many are open now. */
  count(): number;
  /** Resolves once no more than `count` are open; they are the other side's to close. */
  fallenTo(count: number): Promise<void>;
}

/** Opened at once; more would overflow the queue of the listening socket, and TCP would try again a second later. */
const AT_ONCE = 50;

const sockets = new Set<net.Socket>();
const watchers = new Set<() => void>();

const commands: StallingCommands = {
  async open(port, silent, half) {
    const clientHello = await recordClientHello();
    const beginnings = [
      ...Array.from({ length: silent }, () => Buffer.alloc(0)),
      ...Array.from({ length: half }, () => clientHello.subarray(0, clientHello.length / 2)),
    ];
    while (beginnings.length > 0)
      await Promise.all(beginnings.splice(0, AT_ONCE).map(beginning => stall(port, beginning)));
  },
  count: () => sockets.size,
  fallenTo: count =>
    new Promise(resolve => {
      const look = () => {
        if (sockets.size > count) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
    }),
};

answerParent(commands);

async function stall(port: number, beginning: Buffer): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  sockets.add(socket);
  socket.on('error', () => {});
  socket.once('close', () => {
    sockets.delete(socket);
    for (const look of watchers) look();
  });
  // What the other side says is not answered, but its end is noticed.
  socket.resume();
  if (beginning.length > 0) socket.write(beginning);
}

/** The first bytes that a TLS client of Node says. */
function recordClientHello(): Promise<Buffer> {
  return new Promise(resolve => {
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    tls.connect({ socket: wire, servername: 'localhost', ALPNProtocols: ['h2'] }).on('error', () => {});
  });
}
