import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { CredentialSpec } from '../../src/credentials/open-credential-source.ts';
import type { WorkloadSvid } from '../../src/rpc/workload-api.ts';
import { answerOf, derOf, startWorkloadApi } from '../kit/workload-api.ts';

/** A set of credentials as PEM texts. */
export interface PemSet {
  /** Of the certificate. */
  readonly spiffeId: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
}

/** One kind of source, and what the program does that keeps its credentials fresh. */
export interface CredentialPlace {
  readonly spec: CredentialSpec;
  /** What problems must name. */
  readonly name: string;
  /** Puts a whole set there, in the way of its kind; again and again. */
  publish(set: PemSet): Promise<void>;
  /** As a set is seen while it is still being written. */
  publishHalf(set: PemSet): Promise<void>;
  publishGarbage(): Promise<void>;
  /** Takes the set away. */
  withdraw(): Promise<void>;
}

export type MakePlace = (t: TestContext) => Promise<CredentialPlace>;

/** Every kind of source, by the name of its kind and of who writes there. */
export const PLACES: Readonly<Record<string, MakePlace>> = {
  'files, each renamed over': async t => {
    const directory = await makeDirectory(t);
    const path = (name: string) => join(directory, name);
    const files = {
      certFile: path('node.pem'),
      keyFile: path('node.key'),
      caFiles: [path('ca.pem')],
      crlFiles: [],
    };
    return {
      spec: { kind: 'files', ...files },
      name: directory,
      publish: async ({ certPem, keyPem, caPem }) => {
        await renameOver(path('node.key'), keyPem);
        await renameOver(path('node.pem'), certPem);
        await renameOver(path('ca.pem'), caPem);
      },
      publishHalf: ({ keyPem }) => renameOver(path('node.key'), keyPem),
      publishGarbage: () => renameOver(path('node.pem'), GARBAGE),
      withdraw: () => unlink(path('node.pem')),
    };
  },

  'bundle, written over': async t => {
    const directory = await makeDirectory(t);
    const [bundleFile, caFile] = [join(directory, 'node.bundle.pem'), join(directory, 'ca.pem')];
    return {
      spec: { kind: 'bundle', bundleFile, caFiles: [caFile], crlFiles: [] },
      name: bundleFile,
      publish: async ({ certPem, keyPem, caPem }) => {
        await writeFile(caFile, caPem);
        await writeFile(bundleFile, keyPem + certPem, { mode: 0o600 });
      },
      publishHalf: ({ certPem, keyPem }) => writeFile(bundleFile, (keyPem + certPem).slice(0, -40)),
      publishGarbage: () => writeFile(bundleFile, GARBAGE),
      withdraw: () => unlink(bundleFile),
    };
  },

  'directory of spiffe-helper, written over': async t => {
    const directory = await makeDirectory(t);
    return { spec: directorySpec(directory), ...helperIn(directory) };
  },

  'directory of a Kubernetes Secret, ..data turned': async t => {
    const directory = await makeDirectory(t);
    return { spec: directorySpec(directory), ...secretIn(directory) };
  },

  'auto, in the second of three places': async t => {
    const [missing, directory, other] = [await makeDirectory(t), await makeDirectory(t), await makeDirectory(t)];
    await rm(missing, { recursive: true });
    const places = [missing, directory, other].map(directorySpec);
    return { spec: { kind: 'auto', places }, ...helperIn(directory) };
  },

  'spiffe, an agent that answers': async t => {
    const { socketPath, place } = await agent(t);
    return { spec: workloadApiSpec(socketPath), ...place };
  },

  'auto, an agent before a directory': async t => {
    const { socketPath, place } = await agent(t);
    const places = [workloadApiSpec(socketPath), directorySpec(await makeDirectory(t))];
    return { spec: { kind: 'auto', places }, ...place };
  },
};

const GARBAGE = '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n';

/** The real program writes one file after the other. */
function helperIn(directory: string): Omit<CredentialPlace, 'spec'> {
  const write = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 });
  return {
    name: directory,
    publish: async ({ certPem, keyPem, caPem }) => {
      await write('svid.pem', certPem);
      await write('svid_key.pem', keyPem);
      await write('svid_bundle.pem', caPem);
    },
    publishHalf: ({ certPem }) => write('svid.pem', certPem),
    publishGarbage: () => write('svid.pem', GARBAGE),
    withdraw: () => unlink(join(directory, 'svid_key.pem')),
  };
}

/** As the atomic writer of kubelet: a new directory, `..data` turned to it, the old one removed. */
function secretIn(directory: string): Omit<CredentialPlace, 'spec'> {
  let generation = 0;
  const turn = async (files: Readonly<Record<string, string>>): Promise<void> => {
    generation += 1;
    const next = `..2025_01_31_10_20_30.${generation}`;
    await mkdir(join(directory, next));
    for (const [name, text] of Object.entries(files))
      await writeFile(join(directory, next, name), text, { mode: 0o600 });
    await symlink(next, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    for (const name of ['tls.crt', 'tls.key', 'ca.crt'])
      await symlink(join('..data', name), join(directory, name)).catch(() => {});
    await rm(join(directory, `..2025_01_31_10_20_30.${generation - 1}`), { recursive: true, force: true });
  };
  return {
    name: directory,
    publish: ({ certPem, keyPem, caPem }) => turn({ 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': caPem }),
    publishHalf: ({ certPem, caPem }) => turn({ 'tls.crt': certPem, 'ca.crt': caPem }),
    publishGarbage: () => turn({ 'tls.crt': GARBAGE, 'tls.key': GARBAGE, 'ca.crt': GARBAGE }),
    withdraw: () => turn({}),
  };
}

async function agent(t: TestContext) {
  const api = await startWorkloadApi(t);
  const svid = ({ spiffeId, certPem, keyPem, caPem }: PemSet): WorkloadSvid => ({
    spiffeId,
    x509Svid: derOf(certPem),
    x509SvidKey: derOf(keyPem),
    bundle: derOf(caPem),
  });
  const place: Omit<CredentialPlace, 'spec'> = {
    name: `spiffe:unix:${api.socketPath}`,
    publish: async set => api.answer(answerOf(svid(set))),
    publishHalf: async set => api.answer(answerOf({ ...svid(set), x509SvidKey: Buffer.alloc(0) })),
    publishGarbage: async () => api.answer(Buffer.from('garbage')),
    withdraw: async () => api.refuse(grpc.status.PERMISSION_DENIED, 'no identity issued'),
  };
  return { socketPath: api.socketPath, place };
}

function workloadApiSpec(socketPath: string) {
  return { kind: 'spiffe', socketPath, caFiles: [], crlFiles: [] } as const;
}

function directorySpec(directory: string) {
  return { kind: 'directory', directory, caFiles: [], crlFiles: [] } as const;
}

async function renameOver(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-place-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
