import { resolve } from 'node:path';
import type { CredentialSpec } from '../credentials/open-credential-source.ts';
import { wellKnownPlaces } from '../credentials/well-known-places.ts';
import { MAX_SOCKET_PATH_BYTES } from '../identity/address.ts';
import { CREDENTIAL_SOURCES, type CredentialOptions, type CredentialSourceKind } from './credential-options.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';

/** One set of credentials as it was said, with what it inherited. */
export interface ResolvedCredentials {
  readonly options: CredentialOptions;
  readonly spec: CredentialSpec;
}

type Option = Exclude<keyof CredentialOptions, 'source'>;

/** What each source cannot do without, and what it can use besides. */
const USES: Readonly<
  Record<CredentialSourceKind, { readonly needs: readonly Option[]; readonly takes: readonly Option[] }>
> = {
  files: { needs: ['certFile', 'keyFile', 'caFiles'], takes: ['crlFiles'] },
  bundle: { needs: ['bundleFile', 'caFiles'], takes: ['crlFiles'] },
  directory: { needs: ['directory'], takes: ['caFiles', 'crlFiles'] },
  spiffe: { needs: ['workloadApiSocket'], takes: ['caFiles', 'crlFiles'] },
  auto: { needs: [], takes: ['workloadApiSocket', 'crlFiles'] },
};

const MEANINGS: Readonly<Record<Option, string>> = {
  certFile: 'where the certificate of the node lies',
  keyFile: 'where its private key lies',
  bundleFile: 'which file holds certificate chain and key',
  directory: 'which directory holds the credentials',
  workloadApiSocket: 'where the agent listens, such as "unix:///run/spire/sockets/agent.sock"',
  caFiles: 'which file holds the certificates of your CA',
  crlFiles: 'which file it is',
};
const OPTIONS = Object.keys(MEANINGS) as readonly Option[];

/** In `plain` mode, where none are needed. */
export const NO_CREDENTIALS: ResolvedCredentials = {
  options: {},
  spec: { kind: 'files', certFile: '', keyFile: '', caFiles: [], crlFiles: [] },
};

/** Whether anything is said about credentials. */
export function namesCredentials(options: CredentialOptions): boolean {
  return Object.keys(saidIn(options)).length > 0;
}

/** Of options that may say more. */
function saidIn(options: CredentialOptions): CredentialOptions {
  const names = ['source' as const, ...OPTIONS];
  return Object.fromEntries(names.filter(name => options[name] !== undefined).map(name => [name, options[name]]));
}

/**
 * The credentials that `own` mean. What they leave out is that of `from`, unless they name another source. What the
 * source needs and nobody says, and what it would not use, are problems.
 */
export function resolveCredentials(
  path: OptionPath,
  own: CredentialOptions,
  from: ResolvedCredentials | undefined,
  found: OptionProblems,
): ResolvedCredentials {
  const inherited = own.source === undefined || own.source === (from?.options.source ?? 'files') ? from : undefined;
  const options: CredentialOptions = { ...inherited?.options, ...saidIn(own) };
  const source = found.oneOf([...path, 'source'], options.source ?? 'files', CREDENTIAL_SOURCES);
  if (source === undefined) return { options: {}, spec: NO_CREDENTIALS.spec };
  checkUse(path, own, source, found);
  if (inherited === undefined) checkNeeds(path, own, source, found);
  else if (USES[source].needs.includes('caFiles') && own.caFiles?.length === 0)
    found.add([...path, 'caFiles'], 'An empty list trusts nobody.', 'Name a file, or leave it out to inherit.');
  checkGiven(path, own, found);
  checkSocket([...path, 'workloadApiSocket'], own.workloadApiSocket, found);
  return { options, spec: specOf(options, source) };
}

function checkUse(path: OptionPath, own: CredentialOptions, source: CredentialSourceKind, found: OptionProblems): void {
  const { needs, takes } = USES[source];
  for (const option of OPTIONS) {
    if (own[option] === undefined || needs.includes(option) || takes.includes(option)) continue;
    const users = CREDENTIAL_SOURCES.filter(each => [...USES[each].needs, ...USES[each].takes].includes(option));
    found.add(
      [...path, option],
      `The source "${source}" of \`${nameOf(path, 'source')}\` does not use it.`,
      `Remove it, or say source = ${users.map(user => `"${user}"`).join(' or ')}.`,
    );
  }
}

function checkNeeds(
  path: OptionPath,
  own: CredentialOptions,
  source: CredentialSourceKind,
  found: OptionProblems,
): void {
  for (const option of USES[source].needs) {
    if (option === 'caFiles') {
      if (own.caFiles === undefined || own.caFiles.length === 0)
        found.add([...path, option], 'There is no trust anchor.', `Say ${MEANINGS.caFiles}.`);
    } else if (own[option] === undefined) found.required([...path, option], undefined, MEANINGS[option]);
  }
}

/** What is given is a text that can be a path. */
function checkGiven(path: OptionPath, own: CredentialOptions, found: OptionProblems): void {
  for (const option of OPTIONS) {
    const given = own[option];
    if (typeof given === 'string') found.required([...path, option], given, MEANINGS[option]);
    else
      for (const [index, file] of (given ?? []).entries())
        found.required([...path, option, index], file, MEANINGS.crlFiles);
  }
}

function specOf(options: CredentialOptions, source: CredentialSourceKind): CredentialSpec {
  const one = (option: 'certFile' | 'keyFile' | 'bundleFile' | 'directory') => resolve(options[option] ?? '');
  const caFiles = (options.caFiles ?? []).map(file => resolve(file));
  const crlFiles = (options.crlFiles ?? []).map(file => resolve(file));
  switch (source) {
    case 'files':
      return { kind: 'files', certFile: one('certFile'), keyFile: one('keyFile'), caFiles, crlFiles };
    case 'bundle':
      return { kind: 'bundle', bundleFile: one('bundleFile'), caFiles, crlFiles };
    case 'directory':
      return { kind: 'directory', directory: one('directory'), caFiles, crlFiles };
    case 'spiffe':
      return { kind: 'spiffe', socketPath: socketPathOf(options.workloadApiSocket ?? ''), caFiles, crlFiles };
    case 'auto': {
      const { workloadApiSocket: socket } = options;
      return { kind: 'auto', places: wellKnownPlaces(socket && socketPathOf(socket), crlFiles) };
    }
  }
}

/** SPIFFE Workload Endpoint 4 knows `tcp` as well, over which nobody could tell who asks. */
function checkSocket(path: OptionPath, given: string | undefined, found: OptionProblems): void {
  if (given === undefined || given.trim() === '') return;
  if (/^(?!unix:)[a-z][a-z0-9+.-]*:/i.test(given)) found.add(path, 'This is not a unix socket.', 'Write unix:///path.');
  const bytes = Buffer.byteLength(socketPathOf(given));
  if (bytes > MAX_SOCKET_PATH_BYTES)
    found.add(path, `The path is ${bytes} bytes long; the system takes at most ${MAX_SOCKET_PATH_BYTES}.`);
}

function socketPathOf(given: string): string {
  return resolve(given.replace(/^unix:(?:\/\/(?=\/))?/, ''));
}

function nameOf(path: OptionPath, option: string): string {
  return [...path.filter(part => typeof part === 'string'), option].join('.');
}
