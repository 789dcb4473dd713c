// A name server for tests: UDP on loopback, and TCP where that is wanted, with an encoder of its own, so that it can be as broken as one likes.
import { createSocket, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server } from 'node:net';

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;
export type DnsType = keyof typeof TYPES;

const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5, FORMERR: 1, NOTIMP: 4 } as const;

export interface SrvTarget {
  readonly target: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
}

/** What is said of one name and type. A list of records, empty for no data; or something else. */
export type DnsReply =
  | { readonly ttl?: number; readonly records: readonly (string | SrvTarget)[] }
  | keyof typeof CODES
  /** Nothing is sent. */
  | 'SILENCE'
  /** Bytes that are no message. */
  | 'GARBAGE'
  /** A message that ends in the middle of a record. */
  | 'CUT'
  /** With the flag that says to ask over TCP, where nobody listens. */
  | 'TRUNCATED';

export interface DnsRequest {
  readonly name: string;
  readonly type: DnsType;
}

/** A flag of RFC 1035 4.1.1. */
const TRUNCATED = 0x0200;

const HOST = '127.0.0.1';

export class DnsServer implements AsyncDisposable {
  /** As resolvers are configured: `127.0.0.1:PORT`. */
  readonly address: string;
  readonly requests: DnsRequest[] = [];
  /** How names are answered that are not set. */
  byDefault: DnsReply = 'NXDOMAIN';
  /** So long each answer takes. */
  delayMs: number = 0;
  /** A longer answer says over UDP that it is truncated. */
  maxUdpBytes = 65_507;
  #socket: Socket;
  #tcp: Server | undefined;
  readonly #replies = new Map<string, DnsReply>();

  static async start(): Promise<DnsServer> {
    return new DnsServer(await listen(0));
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `${HOST}:${socket.address().port}`;
    this.#serve();
  }

  set(type: DnsType, name: string, reply: DnsReply): this {
    this.#replies.set(`${type} ${name}`, reply);
    return this;
  }

  /** The addresses of a name, those of a family that has none as no data. */
  addresses(name: string, addresses: readonly string[], ttl = 1): this {
    return this.set('A', name, { ttl, records: addresses.filter(each => !isIPv6(each)) }).set('AAAA', name, {
      ttl,
      records: addresses.filter(isIPv6),
    });
  }

  /** Whatever is asked. */
  all(reply: DnsReply): this {
    this.#replies.clear();
    this.byDefault = reply;
    return this;
  }

  /** Listens there over TCP too (RFC 1035 4.2.2). */
  async serveTcp(): Promise<void> {
    this.#tcp = createServer(socket => {
      socket.on('error', () => {});
      // Short enough to come in one piece.
      socket.on('data', data => {
        const reply = this.#answer(data.subarray(2));
        if (reply === undefined) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.end(Buffer.concat([length, reply]));
      });
    });
    await new Promise<void>((resolve, reject) => {
      this.#tcp?.once('error', reject).listen(this.#port, HOST, resolve);
    });
  }

  /** Nobody listens there any more. */
  async stop(): Promise<void> {
    this.#tcp?.close();
    await new Promise<void>(resolve => this.#socket.close(resolve));
  }

  /** Somebody does again. */
  async resume(): Promise<void> {
    this.#socket = await listen(this.#port);
    this.#serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #port(): number {
    return Number(this.address.split(':')[1]);
  }

  #serve(): void {
    const socket = this.#socket;
    let isOpen = true;
    socket.once('close', () => {
      isOpen = false;
    });
    socket.on('message', (query, { port, address }) => {
      const reply = this.#answer(query);
      if (reply === undefined) return;
      const isLong = reply.length > this.maxUdpBytes;
      const sent = isLong ? message(query, questionIn(query).bytes, 0, [], TRUNCATED) : reply;
      if (this.delayMs === 0) return void socket.send(sent, port, address);
      setTimeout(() => {
        if (isOpen) socket.send(sent, port, address);
      }, this.delayMs);
    });
  }

  #answer(query: Buffer): Buffer | undefined {
    const question = questionIn(query);
    const [type] = Object.entries(TYPES).find(([, code]) => code === question.type) ?? [];
    if (type === undefined) return message(query, question.bytes, CODES.NOTIMP, []);
    this.requests.push({ name: question.name, type: type as DnsType });
    const reply = this.#replies.get(`${type} ${question.name}`) ?? this.byDefault;
    if (reply === 'SILENCE') return undefined;
    if (reply === 'GARBAGE') return Buffer.concat([query.subarray(0, 2), Buffer.alloc(40, 0xff)]);
    if (reply === 'TRUNCATED') return message(query, question.bytes, 0, [], TRUNCATED);
    if (reply === 'CUT') {
      const whole = message(query, question.bytes, 0, [recordOf(question.type, '127.0.0.1', 1)]);
      return whole.subarray(0, whole.length - 3);
    }
    if (typeof reply === 'string') return message(query, question.bytes, CODES[reply], []);
    const { records, ttl = 1 } = reply;
    return message(
      query,
      question.bytes,
      0,
      records.map(each => recordOf(question.type, each, ttl)),
    );
  }
}

async function listen(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, HOST, resolve);
  });
  return socket;
}

function questionIn(query: Buffer): { name: string; type: number; bytes: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), bytes: query.subarray(12, at + 5) };
}

/** RFC 1035 4.1.1: an answer to a query that permits recursion, with its question. */
function message(query: Buffer, question: Buffer, code: number, records: readonly Buffer[], moreFlags = 0): Buffer {
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | moreFlags | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

function recordOf(type: number, record: string | SrvTarget, ttl: number): Buffer {
  const data = typeof record === 'string' ? ipBytes(record) : srvBytes(record);
  const head = Buffer.alloc(12);
  // A pointer to the name in the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function srvBytes({ target, port, priority = 0, weight = 0 }: SrvTarget): Buffer {
  const numbers = Buffer.alloc(6);
  for (const [index, value] of [priority, weight, port].entries()) numbers.writeUInt16BE(value, 2 * index);
  const labels = target.split('.').filter(label => label !== '');
  const name = labels.map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([numbers, ...name, Buffer.from([0])]);
}

function ipBytes(ip: string): Buffer {
  if (!isIPv6(ip)) return Buffer.from(ip.split('.').map(Number));
  const [head = '', tail] = ip.split('::');
  const groupsOf = (text: string) =>
    text.split(':').flatMap(group => (group === '' ? [] : [Number.parseInt(group, 16)]));
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  const groups = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Buffer.from(groups.flatMap(group => [group >> 8, group & 0xff]));
}
