import { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { writeFilesAtomic } from '../lifecycle/atomic-write.ts';
import { type Authority, createAuthority, openAuthority, openWithNewIntermediate } from './authority.ts';
import { NEXT_KEY, readRoots, rootOfKey, type StoredRoot } from './ca-files.ts';
import type { CaStep } from './ca-step.ts';
import { credentialsInvalid, modeOf, readPem } from './cert-files.ts';
import { filesOf, type IssuedFiles, openCertStore } from './cert-store.ts';
import { isIssuedBy } from './stored-certificate.ts';

export interface RotatedRoot {
  readonly subject: string;
  /** SHA-256: 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
}

export interface CaRotation {
  readonly step: CaStep;
  /** False when the step had been done already. */
  readonly changed: boolean;
  /** The root that issues from now on. */
  readonly signing: RotatedRoot;
  /** Roots that are trusted beside it. */
  readonly others: readonly RotatedRoot[];
  /** Roots that this step took out. */
  readonly dropped: readonly RotatedRoot[];
  /** Certificates that this step renewed. */
  readonly issued: readonly IssuedFiles[];
}

/** A step that must not be done now: why, and the one to do first. */
export interface CaRotationRefusal {
  readonly problem: string;
  readonly doFirst: CaStep;
}

export interface RotateCaOptions {
  /** End of the new root (`add`, default ten years from now) or of the renewed certificates (`switch`, default as long as they had). */
  readonly notAfter?: Date;
}

/** What the files of a CA say about its rollover. */
interface Rollover {
  readonly directory: string;
  readonly roots: readonly [StoredRoot, ...StoredRoot[]];
  readonly signing: StoredRoot;
  /** Trusted and about to sign; the one that signs already where a switch was interrupted. */
  readonly next: StoredRoot | undefined;
}

/**
 * Takes the CA of a directory one step further. The names of all files stay: those who trust `ca.pem` and present
 * `{node}.pem` follow by reading again.
 *
 * 1. A step that was done already changes nothing; one that was interrupted goes on where it was.
 * 2. A step before its turn is refused and changes nothing.
 * 3. Whether the nodes have followed is not known here: `selvedgectl ca status` asks them.
 *
 * Throws `credentials_invalid` for a CA that cannot be used.
 */
export async function rotateCa(
  directory: string,
  step: CaStep,
  options: RotateCaOptions = {},
): Promise<CaRotation | CaRotationRefusal> {
  const rollover = await readRollover(directory);
  switch (step) {
    case 'add':
      return addRoot(rollover, options);
    case 'switch':
      return switchRoot(rollover, options);
    case 'drop':
      return dropRoots(rollover);
  }
}

async function readRollover(directory: string): Promise<Rollover> {
  const roots = await readRoots(directory);
  const keyFile = join(directory, 'ca.key');
  const signing = await rootOfKey(roots, keyFile);
  if (signing === undefined) throw credentialsInvalid(keyFile, 'it is not there, or not the key of a root in ca.pem');
  return { directory, roots, signing, next: await rootOfKey(roots, join(directory, NEXT_KEY)) };
}

async function addRoot(
  { directory, roots, signing, next }: Rollover,
  { notAfter }: RotateCaOptions,
): Promise<CaRotation | CaRotationRefusal> {
  if (next === signing) return { problem: 'The switch to another root was interrupted.', doFirst: 'switch' };
  if (next !== undefined) return rotation('add', false, signing, roots);
  if (roots.length > 1) return { problem: 'ca.pem still holds the root of the CA before.', doFirst: 'drop' };
  const { authority, clusterName } = await openCertStore(directory);
  const added = await createAuthority({
    commonName: successorOf(authority.name),
    trustDomain: clusterName,
    ...(notAfter === undefined ? {} : { notAfter }),
  });
  await writeFilesAtomic([
    { file: join(directory, NEXT_KEY), content: added.keyPem, mode: 0o600 },
    rootsFile(directory, [signing.certPem, added.certPem]),
  ]);
  return rotation('add', true, signing, await readRoots(directory));
}

async function switchRoot(
  { directory, roots, signing, next }: Rollover,
  options: RotateCaOptions,
): Promise<CaRotation | CaRotationRefusal> {
  const target = next ?? signing;
  if (next !== undefined) {
    const authority = await authorityOf(directory, next);
    const others = roots.filter(root => root !== next);
    await writeFilesAtomic([
      ...(authority.intermediate === undefined ? [] : filesOf(directory, 'intermediate', authority.intermediate)),
      { file: join(directory, 'ca.key'), content: authority.keyPem, mode: 0o600 },
      rootsFile(directory, [next.certPem, ...others.map(root => root.certPem)]),
    ]);
  } else if (roots.length === 1) {
    return { problem: 'ca.pem holds one root, and it signs already.', doFirst: 'add' };
  }
  const store = await openCertStore(directory);
  const issued: IssuedFiles[] = [];
  for (const name of await leavesOfOthers(directory)) issued.push(await store.rotate(name, options));
  // The last thing, so that an interrupted switch is known for one.
  await rm(join(directory, NEXT_KEY), { force: true });
  return rotation('switch', next !== undefined || issued.length > 0, target, roots, { issued });
}

async function dropRoots({ directory, roots, signing, next }: Rollover): Promise<CaRotation | CaRotationRefusal> {
  if (next !== undefined) return { problem: 'The new root does not issue everything yet.', doFirst: 'switch' };
  if (roots.length === 1) {
    const { authority } = await openCertStore(directory);
    if (isSuccessor(authority.name)) return rotation('drop', false, signing, roots);
    return { problem: 'ca.pem holds one root, and there has been no other.', doFirst: 'add' };
  }
  const left = await leavesOfOthers(directory);
  if (left.length > 0) return { problem: `Not issued by the root that signs: ${left.join(', ')}.`, doFirst: 'switch' };
  await writeFilesAtomic([rootsFile(directory, [signing.certPem])]);
  const dropped = roots.filter(root => root !== signing).map(factsOf);
  return rotation('drop', true, signing, [signing], { dropped });
}

/** The authority of a root that shall sign, with an intermediate where the one before has one. */
async function authorityOf(directory: string, { certPem }: StoredRoot): Promise<Authority> {
  const root = { certPem, keyPem: await readPem(join(directory, NEXT_KEY)) };
  const file = join(directory, 'intermediate.pem');
  if ((await modeOf(file)) === undefined) return openAuthority(root);
  const intermediate = { certPem: await readPem(file), keyPem: await readPem(join(directory, 'intermediate.key')) };
  const isItsOwn = isIssuedBy(new X509Certificate(intermediate.certPem), new X509Certificate(certPem));
  return isItsOwn ? openAuthority({ ...root, intermediate }) : openWithNewIntermediate(root);
}

/** Names of nodes and admins whose certificate whoever signs now did not issue. */
async function leavesOfOthers(directory: string): Promise<string[]> {
  const { authority, list } = await openCertStore(directory);
  const issuer = new X509Certificate((authority.intermediate ?? authority).certPem);
  const names: string[] = [];
  for (const { name, kind, file } of await list()) {
    if (kind !== 'node' && kind !== 'admin') continue;
    if (!isIssuedBy(new X509Certificate(await readPem(file)), issuer)) names.push(name);
  }
  return names;
}

function rotation(
  step: CaStep,
  changed: boolean,
  signing: StoredRoot,
  roots: readonly StoredRoot[],
  more: Partial<Pick<CaRotation, 'issued' | 'dropped'>> = {},
): CaRotation {
  const facts = factsOf(signing);
  const others = roots.map(factsOf).filter(({ fingerprint }) => fingerprint !== facts.fingerprint);
  return { step, changed, signing: facts, others, dropped: [], issued: [], ...more };
}

function factsOf({ certificate }: StoredRoot): RotatedRoot {
  const { subject, fingerprint256 } = readPeerIdentity(certificate.raw);
  return { subject, fingerprint: fingerprint256 };
}

function rootsFile(directory: string, pems: readonly string[]) {
  return { file: join(directory, 'ca.pem'), content: pems.join(''), mode: 0o644 };
}

const NUMBERED_NAME = /^(.*\S) (\d{1,6})$/;

/** `dev CA`, `dev CA 2`, `dev CA 3`: a root of its own name is told from the one before in every list. */
function successorOf(name: string): string {
  const [, stem = name, number = '1'] = NUMBERED_NAME.exec(name) ?? [];
  return `${stem} ${Number(number) + 1}`;
}

/** Whether the root of that name was made by `add`. */
function isSuccessor(name: string): boolean {
  return NUMBERED_NAME.test(name);
}
