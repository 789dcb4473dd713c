import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CredentialReading } from './credential-bytes.ts';
import { tryReadCredentialFiles, unreadable } from './credential-files.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { DIRECTORY_LAYOUTS, recogniseLayout } from './directory-layout.ts';
import { openWatchedSource } from './watched-source.ts';

/** A directory as spiffe-helper, cert-manager or a Kubernetes Secret fills it; see {@link DIRECTORY_LAYOUTS}. */
export interface DirectorySpec {
  readonly kind: 'directory';
  readonly directory: string;
  /** Trust anchors. Empty: those of the directory. */
  readonly caFiles: readonly string[];
  readonly crlFiles: readonly string[];
}

export function openDirectorySource(spec: DirectorySpec, parts: CredentialSourceParts): Promise<CredentialSource> {
  const names = DIRECTORY_LAYOUTS.flatMap(({ cert, key, ca }) => [cert, key, ca]);
  const files = [...names.map(name => join(spec.directory, name)), ...spec.caFiles, ...spec.crlFiles];
  return openWatchedSource(files, () => readDirectory(spec), parts);
}

/** So often a directory may be turned while it is read, before that is called a problem. */
const MAX_TURNS = 5;

async function readDirectory(spec: DirectorySpec): Promise<CredentialReading> {
  const { directory } = spec;
  const failed = (problem: string): CredentialReading => ({ ok: false, problems: [{ file: directory, problem }] });
  try {
    const reading = await readOneGeneration(
      () => generationOf(directory),
      generation => readFrom(spec, generation),
    );
    return reading ?? failed(`was replaced ${MAX_TURNS} times while it was read`);
  } catch (error) {
    return failed(unreadable(error));
  }
}

/** What `read` found while the generation stayed the same; undefined where it never did. */
export async function readOneGeneration<Found>(
  current: () => Promise<string>,
  read: (generation: string) => Promise<Found>,
): Promise<Found | undefined> {
  let generation = await current();
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const found = await read(generation);
    const now = await current();
    if (now === generation) return found;
    generation = now;
  }
  return undefined;
}

/** Where `..data`, which kubelet turns from one generation to the next, leads now; without it the directory itself. */
async function generationOf(directory: string): Promise<string> {
  try {
    return await realpath(join(directory, '..data'));
  } catch {
    return realpath(directory);
  }
}

/** Every file that bears a name in the directory is read from `generation`, where its link would lead. */
async function readFrom(spec: DirectorySpec, generation: string): Promise<CredentialReading> {
  const { directory, caFiles, crlFiles } = spec;
  const names = await readdir(generation).catch((error: unknown) => unreadable(error));
  const layout = typeof names === 'string' ? names : recogniseLayout(names);
  if (typeof layout === 'string') return { ok: false, problems: [{ file: directory, problem: layout }] };
  const ownCa = join(directory, layout.ca);
  const files = {
    certFile: join(directory, layout.cert),
    keyFile: join(directory, layout.key),
    caFiles: caFiles.length > 0 ? caFiles : [ownCa],
    crlFiles,
  };
  const reading = await tryReadCredentialFiles(files, file =>
    dirname(file) === directory ? join(generation, basename(file)) : file,
  );
  if (reading.ok || names.includes(layout.ca)) return reading;
  const problems = reading.problems.map(({ file, problem }) =>
    file === ownCa
      ? { file, problem: `${problem}: who gives no CA with the certificate needs a CA file beside it` }
      : { file, problem },
  );
  return { ok: false, problems };
}
