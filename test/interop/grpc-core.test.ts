import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { createLogger, FabricNode, openFabricCredentials } from '../../src/index.ts';
import { echo } from '../kit/echo-service.ts';

// Against gRPC's C core, through Python: what grpcio says to a fabric node, and a Selvedge client to a grpcio server.
const run = promisify(execFile);
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let python = '';
let directory = '';
let store: CertStore;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'selvedge-interop-'));
  store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
  await store.issueNode({ nodeName: 'node-1', hosts: ['127.0.0.1'] });
  await store.issueNode({ nodeName: 'node-2', hosts: ['127.0.0.1'] });
  python = await findPython();
});

after(() => rm(directory, { recursive: true, force: true }));

test('a client of gRPC core with a certificate of the cluster is answered, one without is not', async t => {
  if (python === '') return t.skip('needs python3 with grpcio, which could not be installed');
  const lines: string[] = [];
  const node = await FabricNode.start(
    {
      clusterName: 'dev',
      nodeName: 'node-1',
      dataDir: join(directory, 'node-1'),
      networking: {
        bindAddress: '127.0.0.1:0',
        tls: { ...filesOf('node-1'), mode: 'strict', allowedSubjectNames: ['uri:spiffe://dev/fabric/*'] },
      },
    },
    { logger: createLogger({ write: line => lines.push(line) }) },
  );
  t.after(() => node.close());
  const address = (node.ready.fabric[0] ?? '').replace('https://', '').replace(/^[^:]*/, '127.0.0.1');
  const { certFile, keyFile, caFiles } = filesOf('node-2');
  const admitted = await run(python, [script('client.py'), address, caFiles[0], certFile, keyFile]);
  // HealthCheckResponse { status: SERVING }
  assert.equal(admitted.stdout.trim(), '0801');
  const refused = await run(python, [script('client.py'), address, caFiles[0]]);
  // gRPC core sends a call that no server has seen again until its deadline, whatever the GOAWAY said.
  assert.match(refused.stdout.trim(), /^(UNAVAILABLE|PERMISSION_DENIED|DEADLINE_EXCEEDED)$/);
  assert.ok(lines.some(line => line.includes('"reason":"no_certificate"')));
});

test('a Selvedge client calls a server of gRPC core over mutual TLS', async t => {
  if (python === '') return t.skip('needs python3 with grpcio, which could not be installed');
  const { certFile, keyFile, caFiles } = filesOf('node-1');
  const server = spawn(python, [script('server.py'), caFiles[0], certFile, keyFile], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(async () => {
    server.stdin.end();
    await once(server, 'close');
  });
  const [line] = await once(server.stdout, 'data');
  const credentials = await openFabricCredentials({ ...filesOf('node-2'), allowedSubjectNames: ['*'] });
  t.after(() => credentials.close());
  const client = new grpc.Client(`127.0.0.1:${String(line).trim()}`, credentials.channel);
  t.after(() => client.close());
  assert.equal(await echo(client, 'across languages'), 'across languages');
});

function filesOf(name: string): { certFile: string; keyFile: string; caFiles: [string] } {
  const certs = join(directory, 'certs');
  return {
    certFile: join(certs, `${name}.pem`),
    keyFile: join(certs, `${name}.key`),
    caFiles: [join(certs, 'ca.pem')],
  };
}

/** A Python that has grpcio: the system's, or a virtual environment made for this run. Empty where neither can be had. */
async function findPython(): Promise<string> {
  const has = (command: string) =>
    run(command, ['-c', 'import grpc']).then(
      () => true,
      () => false,
    );
  if (await has('python3')) return 'python3';
  const venv = join(directory, 'venv');
  const command = join(venv, 'bin', 'python');
  try {
    await run('python3', ['-m', 'venv', venv]);
    await run(command, ['-m', 'pip', 'install', '--quiet', 'grpcio']);
  } catch {
    return '';
  }
  return (await has(command)) ? command : '';
}
