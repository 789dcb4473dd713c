import { mkdtemp, open, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PemPair } from '../../src/dev-pki/signer.ts';

export const CERT_FILE = 'tls.pem';
export const KEY_FILE = 'tls.key';

/** A way in which people and their tools replace a certificate and its key. */
export interface WritingStyle {
  readonly name: string;
  /** Puts the pair in place of the one in `directory`; resolves when the two on the disk belong together. */
  write(directory: string, pair: PemPair): Promise<void>;
}

/** Long enough for a node to look at the mixture, and to find that it does not fit. */
const MIXTURE_MS = 500;
const HALF_WRITTEN_MS = 2_000;

/** Any of them may follow any other. */
export const WRITING_STYLES: readonly WritingStyle[] = [
  { name: 'overwrite', write: overwrite },
  { name: 'rename', write: renameOver },
  { name: 'symlink swap', write: swapSymlink },
  { name: 'key first', write: keyFirst },
  { name: 'certificate first', write: certificateFirst },
  { name: 'half-written', write: halfWritten },
];

/** Both files renamed over the old ones, at once. */
export async function renameOver(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  await replaceFile(join(directory, CERT_FILE), certPem);
  await replaceFile(join(directory, KEY_FILE), keyPem);
}

/** Replaces one file in one step. */
export async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.tmp`, content, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

/** As `cp` does: the old file is emptied and filled again. */
async function overwrite(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  await writeFile(join(directory, CERT_FILE), certPem);
  await writeFile(join(directory, KEY_FILE), keyPem);
}

async function keyFirst(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  await replaceFile(join(directory, KEY_FILE), keyPem);
  await wait(MIXTURE_MS);
  await replaceFile(join(directory, CERT_FILE), certPem);
}

async function certificateFirst(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  await replaceFile(join(directory, CERT_FILE), certPem);
  await wait(MIXTURE_MS);
  await replaceFile(join(directory, KEY_FILE), keyPem);
}

/** As a slow copy does: half of the certificate stands in the file for two seconds. */
async function halfWritten(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  await using file = await open(join(directory, CERT_FILE), 'w', 0o600);
  const half = certPem.length >> 1;
  await file.writeFile(certPem.slice(0, half));
  await wait(HALF_WRITTEN_MS);
  await file.writeFile(certPem.slice(half));
  await writeFile(join(directory, KEY_FILE), keyPem);
}

/** As Kubernetes does with a Secret: `tls.pem -> ..data/tls.pem`, and `..data` is turned to another directory. */
async function swapSymlink(directory: string, { certPem, keyPem }: PemPair): Promise<void> {
  const data = join(directory, '..data');
  const before = await readlink(data).catch(() => undefined);
  const version = await mkdtemp(join(directory, `..${new Date().toISOString().replaceAll(/[-:T]/g, '_')}.`));
  await writeFile(join(version, CERT_FILE), certPem, { mode: 0o600 });
  await writeFile(join(version, KEY_FILE), keyPem, { mode: 0o600 });
  await turnLink(data, basename(version));
  // Another style may have put a file where the link was.
  for (const name of [CERT_FILE, KEY_FILE]) {
    const target = join('..data', name);
    if ((await readlink(join(directory, name)).catch(() => undefined)) !== target)
      await turnLink(join(directory, name), target);
  }
  if (before !== undefined) await rm(join(directory, before), { recursive: true, force: true });
}

async function turnLink(link: string, target: string): Promise<void> {
  await symlink(target, `${link}_tmp`);
  await rename(`${link}_tmp`, link);
}
