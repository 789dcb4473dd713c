import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ConfigProblem } from '../errors/selvedge-error.ts';
import type { NodeSettings } from '../node/node-settings.ts';

/** Why a node could not open the file of its audit trail. Opens and writes nothing. */
export async function checkAudit(
  { audit: { file } }: Pick<NodeSettings, 'audit'>,
  place: string,
): Promise<readonly ConfigProblem[]> {
  if (file === undefined) return [];
  const found = await stat(file).catch(() => undefined);
  const problem = (text: string, remedy: string) => [{ key: 'audit.file', place, problem: text, remedy }];
  if (found === undefined) return checkDirectory(dirname(file), problem);
  if (found.isDirectory()) return problem(`${file} is a directory.`, 'Name a file in it.');
  if (await mayDo(file, constants.W_OK)) return [];
  return problem(`${file} may not be written by this user.`, 'Give it to the user of the node.');
}

async function checkDirectory(
  directory: string,
  problem: (text: string, remedy: string) => readonly ConfigProblem[],
): Promise<readonly ConfigProblem[]> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) return problem(`${directory} is not a directory that is there.`, 'Make it first.');
  if (await mayDo(directory, constants.W_OK | constants.X_OK)) return [];
  return problem(`${directory} may not be written by this user.`, 'Give it to the user of the node.');
}

function mayDo(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
