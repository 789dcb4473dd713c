// `npm start`: three nodes of cluster-config/ on loopback, strict mutual TLS, with a development CA made on the spot.
// Shows the state of the cluster and stays until Ctrl-C.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { initCertStore, openCertStore } from '../src/dev-pki/cert-store.ts';
import { Daemon } from './kit/daemon.ts';

const CONFIG = fileURLToPath(new URL('../cluster-config', import.meta.url));
const CERTS = join(CONFIG, 'certs');
const SELVEDGECTL = fileURLToPath(new URL('../src/cli/selvedgectl.ts', import.meta.url));
const NODES = ['node-1', 'node-2', 'node-3'];
const run = promisify(execFile);

const daemons: Daemon[] = [];
let stopping = false;

process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));

try {
  await makeCertificates();
  console.log(`Starting ${NODES.join(', ')} ...`);
  for (const node of NODES) daemons.push(new Daemon({ config: join(CONFIG, `${node}.toml`) }));
  for (const daemon of daemons) {
    await daemon.waitFor('node.ready');
    void daemon.exited.then(code =>
      stopping ? undefined : fail(`${daemon.ready.node} ended with ${code}.\n${daemon.stderr}`),
    );
  }
  await Promise.all(daemons.map(daemon => connectedTo(daemon, NODES.length - 1)));
  console.log(await ctl('status', '--config', join(CONFIG, 'node-1.toml')));
  console.log('Try, in another terminal:');
  console.log('  npm run -s selvedgectl -- status --config cluster-config/node-1.toml');
  console.log('  npm run -s selvedgectl -- tls status --config cluster-config/node-2.toml');
  console.log('  curl -s http://127.0.0.1:9464/metrics | grep selvedge_');
  console.log('\nCtrl-C ends the cluster.');
} catch (error) {
  await fail(error instanceof Error ? error.message : String(error));
}

async function makeCertificates(): Promise<void> {
  const isNew = !existsSync(join(CERTS, 'ca.pem'));
  const store = isNew ? await initCertStore(CERTS, { clusterName: 'dev' }) : await openCertStore(CERTS);
  if (isNew) console.log(`Made a development CA in ${CERTS}.`);
  for (const nodeName of NODES) {
    if (!existsSync(join(CERTS, `${nodeName}.pem`)))
      await store.issueNode({ nodeName, hosts: ['127.0.0.1', '::1'], localhost: true });
  }
  if (!existsSync(join(CERTS, 'admin-operator.pem'))) await store.issueAdmin({ adminName: 'operator' });
}

async function connectedTo(daemon: Daemon, count: number): Promise<void> {
  const peers = new Set<unknown>();
  while (peers.size < count) {
    const { node } = await daemon.waitFor('peer.connected', line => !peers.has(line.node));
    peers.add(node);
  }
}

async function ctl(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', SELVEDGECTL, ...args]);
  return stdout;
}

async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  if (code === 0) console.log('\nDraining ...');
  await Promise.all(daemons.map(daemon => daemon.stop()));
  process.exit(code);
}

async function fail(why: string): Promise<void> {
  console.error(why);
  await stop(1);
}
