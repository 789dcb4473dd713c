import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createLogger, FabricNode, type TlsMode } from '../../src/index.ts';
import {
  APPLICATION_ROW,
  documentedMethods,
  METHOD_COLUMNS,
  type MethodColumn,
} from '../architecture/documented-tables.ts';
import { bareClient, createSslClient } from '../kit/bare-grpc.ts';
import { echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import { everyMethodOf, type Heard, hearAll, MALFORMED, type ServedMethod } from '../kit/every-method.ts';
import { fabricPort, TestCluster } from './test-cluster.ts';

const MODES = ['plain', 'optional', 'strict'] as const;

type Clients = Readonly<Record<MethodColumn, grpc.Client>>;
type Words = Readonly<Record<MethodColumn, string>>;
type Ready = { readonly ready: { readonly fabric: readonly string[]; readonly admin: string } };

const DOCUMENTED = documentedMethods();
const ECHO: ServedMethod = {
  name: APPLICATION_ROW,
  definition: echoDefinition.Echo as unknown as grpc.MethodDefinition<object, object>,
  requests: () => [Buffer.from('hello')],
};

test('docs/security.md says of every method that a daemon serves who may call it, in every mode', {
  timeout: 300_000,
}, async t => {
  const cluster = await TestCluster.make(t);
  const seen = new Map<TlsMode, ReadonlyMap<string, Words>>();
  for (const mode of MODES) seen.set(mode, await tableOf(t, cluster, mode));

  await t.test('the rows are the methods that there are', () => {
    for (const mode of MODES)
      assert.deepEqual([...(seen.get(mode)?.keys() ?? [])].toSorted(), [...DOCUMENTED.keys()].toSorted(), mode);
  });
  for (const [name, words] of DOCUMENTED) {
    await t.test(name, () => {
      const wordIn = (mode: TlsMode, column: MethodColumn) => seen.get(mode)?.get(name)?.[column] ?? '';
      const found = METHOD_COLUMNS.map(column => [column, folded(column, mode => wordIn(mode, column))]);
      assert.deepEqual(Object.fromEntries(found), words);
    });
  }
});

/** The one word that the documents have for a column, where the modes agree with what they say about modes. */
function folded(column: MethodColumn, wordIn: (mode: TlsMode) => string): string {
  const [plain, optional, strict] = [wordIn('plain'), wordIn('optional'), wordIn('strict')];
  const [first, second, refused] =
    column === 'plaintext'
      ? [plain, optional, strict]
      : column === 'local'
        ? [plain, optional, 'refused']
        : [optional, strict, plain];
  if (refused === 'refused' && first === second && (column !== 'local' || strict === first)) return first;
  if (column === 'tls' && refused === 'refused' && first === 'yes' && second === '-') return 'not strict';
  return JSON.stringify({ plain, optional, strict });
}

/** What everybody gets for every method of a daemon in this mode, and for one of an application on a library node. */
async function tableOf(t: TestContext, cluster: TestCluster, mode: TlsMode): Promise<ReadonlyMap<string, Words>> {
  const roles = { admin: ['uri:spiffe://dev/admin/*'], observer: ['uri:spiffe://dev/observer/*'] };
  const daemon = await cluster.start(`daemon-${mode}`, {
    mode,
    tls: { 'require-client-auth': false },
    top: { authorization: { 'admin-subject-names': roles.admin, 'observer-subject-names': roles.observer } },
  });
  const { networking, membership: _, ...options } = await cluster.nodeOptions(`library-${mode}`, mode);
  await using node = await FabricNode.start(
    {
      ...options,
      networking: { ...networking, tls: { ...networking?.tls, mode, requireClientAuth: false } },
      authorization: { adminSubjectNames: roles.admin, observerSubjectNames: roles.observer },
    },
    {
      logger: createLogger({ write: () => {} }),
      services: [{ definition: echoDefinition, implementation: echoImplementation }],
    },
  );
  const clients = await clientsOf(t, cluster, daemon);
  const table = new Map<string, Words>();
  for (const method of await everyMethodOf(clients.local)) table.set(method.name, await wordsOf(clients, method));
  return table.set(APPLICATION_ROW, await wordsOf(await clientsOf(t, cluster, node), ECHO));
}

async function clientsOf(t: TestContext, cluster: TestCluster, node: Ready): Promise<Clients> {
  const port = fabricPort(node);
  const { authority } = cluster.store;
  const tls = (uri?: string) =>
    createSslClient(t, port, authority.anchorsPem, authority, uri === undefined ? undefined : { uris: [uri] });
  const insecure = grpc.credentials.createInsecure();
  const local = new grpc.Client(node.ready.admin, insecure, { 'grpc.use_local_subchannel_pool': 1 });
  t.after(() => local.close());
  return {
    peer: await tls('spiffe://dev/fabric/batch-7'),
    admin: await tls('spiffe://dev/admin/ann'),
    observer: await tls('spiffe://dev/observer/olga'),
    local,
    plaintext: bareClient(t, port, insecure),
    tls: await tls(),
  };
}

async function wordsOf(clients: Clients, method: ServedMethod): Promise<Words> {
  const words = METHOD_COLUMNS.map(async column => {
    const claims = column === 'peer' ? 'batch-7' : 'nobody';
    const requests = isChanging(method.name) ? [MALFORMED] : method.requests({ claims }).slice(0, 1);
    const [heard] = await hearAll(clients[column], method, requests);
    return [column, heard === undefined ? '' : wordOf(heard, method.name)];
  });
  return Object.fromEntries(await Promise.all(words));
}

/** So that nobody drains the daemon. */
function isChanging(name: string): boolean {
  const { admin, observer } = DOCUMENTED.get(name) ?? {};
  return admin !== '-' && observer === '-';
}

function wordOf({ answers, status: { code, details } }: Heard, name: string): string {
  if (code === grpc.status.UNAUTHENTICATED || details === 'permission denied') return '-';
  // As grpc-js says that a connection was refused, with the GOAWAY for inadequate security too.
  if (code === grpc.status.UNAVAILABLE || code === grpc.status.PERMISSION_DENIED) return 'refused';
  assert.notEqual(code, grpc.status.UNIMPLEMENTED, name);
  assert.notEqual(code, grpc.status.DEADLINE_EXCEEDED, `${name}: ${details}`);
  const [{ message = {} } = {}] = answers;
  if ('addressesRedacted' in message) return message.addressesRedacted === true ? 'redacted' : 'full';
  return 'yes';
}
