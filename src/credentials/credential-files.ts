import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf } from '../errors/selvedge-error.ts';
import { type CredentialBytes, type CredentialReading, FileContent } from './credential-bytes.ts';
import { type CredentialProblem, credentialsInvalid } from './credential-problem.ts';

/** Where one set of credentials lies. All files are PEM; a CRL may be DER as well. */
export interface CredentialFiles {
  /** Leaf first, then intermediates. */
  readonly certFile: string;
  /** The unencrypted private key of the leaf. */
  readonly keyFile: string;
  /** Trust anchors; each file may be a bundle. Empty is a problem: nobody could be trusted. */
  readonly caFiles: readonly string[];
  /** Certificate revocation lists. Empty: nothing is revoked. */
  readonly crlFiles: readonly string[];
}

/**
 * The bytes of a set of credentials; each file is opened and read once, even where two keys name the same file.
 * Throws `credentials_invalid` with every file that is missing, unreadable, empty, a directory or larger than 16 MiB.
 */
export async function readCredentialFiles(files: CredentialFiles): Promise<CredentialBytes> {
  const reading = await tryReadCredentialFiles(files);
  if (!reading.ok) throw credentialsInvalid(reading.problems);
  return reading.bytes;
}

/**
 * As {@link readCredentialFiles}, but problems are a value.
 * @param pathOf where a file is really read, which bears its own name all the same. Default: under its name.
 */
export async function tryReadCredentialFiles(
  files: CredentialFiles,
  pathOf?: (file: string) => string,
): Promise<CredentialReading> {
  const names = [files.certFile, files.keyFile, ...files.caFiles, ...files.crlFiles];
  const { contents, problems } = await readFiles(names, pathOf);
  const cert = contents.get(files.certFile);
  const key = contents.get(files.keyFile);
  const pick = (wanted: readonly string[]): FileContent[] => wanted.flatMap(name => contents.get(name) ?? []);
  const trust = { ca: pick(files.caFiles), crl: pick(files.crlFiles) };
  if (cert !== undefined && key !== undefined && problems.length === 0)
    return { ok: true, bytes: { cert, key, ...trust } };
  const isOwn = ({ file }: CredentialProblem): boolean => file === files.certFile || file === files.keyFile;
  return problems.every(isOwn) ? { ok: false, problems, trust } : { ok: false, problems };
}

export interface FilesReading {
  /** By name. */
  readonly contents: ReadonlyMap<string, FileContent>;
  readonly problems: readonly CredentialProblem[];
}

/**
 * Each file of a set, opened and read once, even where it is named twice. @param pathOf see {@link tryReadCredentialFiles}
 * @param mayBeEmpty whether a file without a byte says something. Default: it is a problem.
 */
export async function readFiles(
  names: readonly string[],
  pathOf: (file: string) => string = file => file,
  mayBeEmpty = false,
): Promise<FilesReading> {
  const results = await Promise.all([...new Set(names)].map(name => readOne(name, pathOf(name), mayBeEmpty)));
  const contents = new Map<string, FileContent>();
  for (const result of results) if (!('problem' in result)) contents.set(result.file, result);
  return { contents, problems: results.filter(result => 'problem' in result) };
}

const MAX_FILE_BYTES = 16 * 1024 * 1024;

class UnusableFile extends Error {}

async function readOne(file: string, path: string, mayBeEmpty: boolean): Promise<FileContent | CredentialProblem> {
  try {
    return await readFileContent(file, path, mayBeEmpty);
  } catch (error) {
    return { file, problem: unreadable(error) };
  }
}

async function readFileContent(file: string, path: string, mayBeEmpty: boolean): Promise<FileContent> {
  // O_NONBLOCK: opening a pipe must not hang; the kind is checked on what was opened, not on what the name means later.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (status.isDirectory()) throw new UnusableFile('is a directory');
    if (!status.isFile()) throw new UnusableFile('is not a regular file');
    if (status.size > MAX_FILE_BYTES) throw new UnusableFile(`is larger than ${MAX_FILE_BYTES} bytes`);
    const bytes = await handle.readFile();
    if (bytes.length === 0 && !mayBeEmpty) throw new UnusableFile('is empty');
    return new FileContent(file, status.mode & 0o777, bytes);
  } finally {
    await handle.close();
  }
}

/** Why a file or directory cannot be read, after its name. */
export function unreadable(error: unknown): string {
  if (error instanceof UnusableFile) return error.message;
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
      return 'is missing';
    case 'ENOTDIR':
      return 'is missing: a part of its path is not a directory';
    case 'EACCES':
    case 'EPERM':
      return 'cannot be read: permission denied';
    case 'ELOOP':
      return 'is a symbolic link that leads in a circle';
    default:
      return `cannot be read: ${messageOf(error)}`;
  }
}
