import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import {
  type CompareMessage,
  type EtcdHeader,
  etcdKv,
  etcdLease,
  type LeaseId,
  type RangeRequest,
  type RequestOpMessage,
  type TxnRequest,
  type WatchRequest,
  type WatchResponse,
  watchDefinition,
} from '../../src/rpc/etcd-messages.ts';

interface Stored {
  readonly value: string;
  readonly modRevision: number;
  readonly lease: string;
}

interface Happened {
  readonly revision: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly stored: Stored | undefined;
}

interface Watcher {
  readonly call: grpc.ServerDuplexStream<WatchRequest, WatchResponse>;
  readonly key: string;
  readonly end: string;
}

/**
 * An etcd of one node in this process, as far as a membership source sees it, in plaintext on a free loopback port. What is
 * public and changes is for tests to set.
 */
export class FakeEtcd {
  /** Answers nothing and says nothing, as if it hung. */
  isSilent: boolean = false;
  /** Has no leader: refuses calls, and cancels watches when it is set by {@link loseLeader}. */
  hasLeader = true;
  clusterId = '14841639068965178418';
  raftTerm = 2;
  /** Which keys a client may not read or write. */
  denies: (key: string, access: 'read' | 'write') => boolean = () => false;
  /** Asks for no permissions inside nested transactions, as etcd before 3.4.42, 3.5.28 and 3.6.9. */
  isNestingUnguarded = false;
  /** Calls by method. */
  readonly calls: Map<string, number> = new Map<string, number>();
  port: number = 0;
  #revision = 1;
  #compacted = 0;
  #nextLease: bigint = 7_587_890_000_000_000_001n;
  #keys = new Map<string, Stored>();
  #history: Happened[] = [];
  readonly #leases = new Map<string, { readonly ttlMs: number; timer: NodeJS.Timeout }>();
  readonly #watchers = new Set<Watcher>();
  #server: grpc.Server | undefined;

  get revision(): number {
    return this.#revision;
  }

  get watches(): number {
    return this.#watchers.size;
  }

  get leases(): readonly string[] {
    return [...this.#leases.keys()];
  }

  get(key: string): string | undefined {
    return this.#keys.get(key)?.value;
  }

  /** Writes as anybody might; objects as JSON. Undefined deletes. All at one revision. */
  write(values: Readonly<Record<string, object | string | undefined>>): void {
    const writes = Object.entries(values).map(([key, value]): RequestOpMessage => {
      const text = typeof value === 'object' ? JSON.stringify(value) : value;
      if (text === undefined) return { requestDeleteRange: { key: Buffer.from(key) } };
      return { requestPut: { key: Buffer.from(key), value: Buffer.from(text), lease: '0' } };
    });
    this.#apply(writes);
  }

  deleteAll(): void {
    this.write(Object.fromEntries([...this.#keys.keys()].map(key => [key, undefined])));
  }

  /** What was before this moment can be watched no more; watchers that lag are told so. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  /** Every watch is told that the server has compacted what it was about to say. */
  compactUnderWatches(): void {
    this.compact();
    for (const { call } of [...this.#watchers])
      call.write(this.#watchAnswer({ canceled: true, compactRevision: String(this.#compacted) }));
    this.#watchers.clear();
  }

  cancelWatches(cancelReason: string): void {
    for (const { call } of [...this.#watchers]) call.write(this.#watchAnswer({ canceled: true, cancelReason }));
    this.#watchers.clear();
  }

  /** Tells every watch of an earlier write again, which no etcd does. */
  tellAgain(key: string): void {
    const stored = this.#keys.get(key);
    for (const watcher of this.#watchers) this.#tell(watcher, [{ revision: stored?.modRevision ?? 0, key, stored }]);
  }

  loseLeader(): void {
    this.hasLeader = false;
    this.cancelWatches('etcdserver: no leader');
  }

  /** Ends a lease as if its time had passed. */
  expire(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    clearTimeout(lease.timer);
    this.#leases.delete(id);
    const keys = [...this.#keys].filter(([, stored]) => stored.lease === id).map(([key]) => key);
    this.write(Object.fromEntries(keys.map(key => [key, undefined])));
  }

  /** The store as it is now; returns the function that brings it back, with its revision. */
  backup(): () => void {
    const [keys, revision] = [new Map(this.#keys), this.#revision];
    return () => {
      this.#keys = new Map(keys);
      this.#revision = revision;
      this.compact();
    };
  }

  async start(): Promise<void> {
    const server = new grpc.Server();
    server.addService(etcdKv.definition, {
      Range: this.#unary('Range', (request: RangeRequest) => this.#range(request)),
      Txn: this.#unary('Txn', (request: TxnRequest) => this.#txn(request)),
    });
    server.addService(etcdLease.definition, {
      LeaseGrant: this.#unary('LeaseGrant', ({ TTL }: { TTL: string }) => this.#grant(Number(TTL) * 1_000)),
      LeaseRevoke: this.#unary('LeaseRevoke', ({ ID }: LeaseId) => {
        this.expire(ID);
        return { header: this.#header() };
      }),
      LeaseKeepAlive: (call: grpc.ServerDuplexStream<LeaseId, object>) => {
        call.on('data', ({ ID }: LeaseId) => {
          if (this.#refuses('LeaseKeepAlive', call) || this.isSilent) return;
          const lease = this.#leases.get(ID);
          if (lease !== undefined) lease.timer.refresh();
          call.write({ header: this.#header(), ID, TTL: String((lease?.ttlMs ?? 0) / 1_000) });
        });
        call.on('end', () => call.end());
        call.on('error', () => {});
      },
    });
    server.addService(watchDefinition, { Watch: (call: Watcher['call']) => this.#watch(call) });
    this.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${this.port}`, grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    this.#server = server;
  }

  /** Connections are cut; what is stored stays for the next start, on the same port. */
  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#watchers.clear();
  }

  close(): Promise<void> {
    for (const { timer } of this.#leases.values()) clearTimeout(timer);
    return this.stop();
  }

  #unary<Request, Response>(method: string, answer: (request: Request) => Response) {
    return (call: grpc.ServerUnaryCall<Request, Response>, reply: grpc.sendUnaryData<Response>) => {
      if (this.#refuses(method, call) || this.isSilent) return;
      try {
        reply(null, answer(call.request));
      } catch (error) {
        reply(error as grpc.StatusObject);
      }
    };
  }

  #refuses(method: string, call: { emit(event: 'error', error: object): unknown }): boolean {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    if (!this.hasLeader && !this.isSilent)
      call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'etcdserver: no leader' });
    return !this.hasLeader;
  }

  #range({ key, rangeEnd }: RangeRequest): object {
    const [from, to] = [textOf(key), textOf(rangeEnd ?? Buffer.alloc(0))];
    this.#allow(from, 'read');
    const kvs = [...this.#keys].filter(([name]) => isIn(name, from, to)).map(([name, stored]) => message(name, stored));
    return { header: this.#header(), kvs, more: false };
  }

  #txn({ compare, success }: TxnRequest): object {
    for (const { key } of compare) this.#allow(textOf(key), 'read');
    this.#allowAll(success);
    const succeeded = compare.every(condition => this.#holds(condition));
    const leases = success.map(({ requestPut }) => requestPut?.lease ?? '0').filter(lease => lease !== '0');
    if (succeeded && !leases.every(lease => this.#leases.has(lease)))
      throw refusal(grpc.status.NOT_FOUND, 'etcdserver: requested lease not found');
    if (succeeded) this.#apply(success);
    return { header: this.#header(), succeeded };
  }

  #allowAll(writes: readonly RequestOpMessage[]): void {
    for (const { requestPut, requestDeleteRange, requestTxn } of writes)
      if (!requestTxn) this.#allow(textOf((requestPut ?? requestDeleteRange)?.key), 'write');
      else if (!this.isNestingUnguarded) this.#allowAll(requestTxn.success);
  }

  #holds(condition: CompareMessage): boolean {
    const stored = this.#keys.get(textOf(condition.key));
    if (condition.target === 'MOD') return Number(condition.modRevision) === (stored?.modRevision ?? 0);
    return condition.target === 'LEASE' && condition.lease === (stored?.lease ?? '0');
  }

  #allow(key: string, access: 'read' | 'write'): void {
    if (this.denies(key, access)) throw refusal(grpc.status.PERMISSION_DENIED, 'etcdserver: permission denied');
  }

  #apply(writes: readonly RequestOpMessage[]): void {
    const revision = this.#revision + 1;
    const happened: Happened[] = [];
    for (const { requestPut, requestDeleteRange } of writes) {
      const key = textOf((requestPut ?? requestDeleteRange)?.key);
      if (requestPut) {
        const stored = { value: textOf(requestPut.value), modRevision: revision, lease: requestPut.lease };
        this.#keys.set(key, stored);
        happened.push({ revision, key, stored });
      } else if (this.#keys.delete(key)) happened.push({ revision, key, stored: undefined });
    }
    if (happened.length === 0) return;
    this.#revision = revision;
    this.#history.push(...happened);
    for (const watcher of this.#watchers) this.#tell(watcher, happened);
  }

  #grant(ttlMs: number): object {
    const id = String(this.#nextLease++);
    this.#leases.set(id, { ttlMs, timer: setTimeout(() => this.expire(id), ttlMs) });
    return { header: this.#header(), ID: id, TTL: String(ttlMs / 1_000), error: '' };
  }

  #watch(call: Watcher['call']): void {
    let watcher: Watcher | undefined;
    call.on('data', (request: WatchRequest) => {
      if (this.isSilent) return;
      if (request.progressRequest) call.write(this.#watchAnswer({}));
      const create = request.createRequest;
      if (!create || this.#refuses('Watch', call)) return;
      const [key, end, start] = [textOf(create.key), textOf(create.rangeEnd), Number(create.startRevision)];
      if (this.denies(key, 'read')) {
        call.write(this.#watchAnswer({ created: true }));
        const cancelReason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
        return void call.write(this.#watchAnswer({ canceled: true, cancelReason }));
      }
      call.write(this.#watchAnswer({ created: true }));
      if (start <= this.#compacted)
        return void call.write(this.#watchAnswer({ canceled: true, compactRevision: String(this.#compacted) }));
      watcher = { call, key, end };
      this.#watchers.add(watcher);
      this.#tell(
        watcher,
        this.#history.filter(({ revision }) => revision >= start),
      );
    });
    const forget = () => {
      if (watcher !== undefined) this.#watchers.delete(watcher);
    };
    call.on('end', () => call.end());
    for (const event of ['cancelled', 'close', 'error']) call.on(event, forget);
  }

  #tell({ call, key: from, end }: Watcher, happened: readonly Happened[]): void {
    const events = happened
      .filter(({ key }) => isIn(key, from, end))
      .map(({ key, stored, revision }) => ({
        type: stored === undefined ? ('DELETE' as const) : ('PUT' as const),
        kv: message(key, stored ?? { value: '', modRevision: revision, lease: '0' }),
      }));
    if (events.length > 0 && !this.isSilent) call.write(this.#watchAnswer({ events }));
  }

  #watchAnswer(answer: Partial<WatchResponse>): WatchResponse {
    const nothing = { created: false, canceled: false, compactRevision: '0', cancelReason: '', events: [] };
    return { ...nothing, header: this.#header(), ...answer };
  }

  #header(): EtcdHeader {
    return { clusterId: this.clusterId, revision: String(this.#revision), raftTerm: String(this.raftTerm) };
  }
}

/** Starts one that is empty; stopped after the test. */
export async function startFakeEtcd(t: TestContext): Promise<FakeEtcd> {
  const etcd = new FakeEtcd();
  await etcd.start();
  t.after(() => etcd.close());
  return etcd;
}

function refusal(code: grpc.status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

function message(key: string, { value, modRevision, lease }: Stored) {
  return { key: Buffer.from(key), value: Buffer.from(value), modRevision: String(modRevision), lease };
}

function isIn(key: string, from: string, end: string): boolean {
  return end === '' ? key === from : key >= from && key < end;
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
