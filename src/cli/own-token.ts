import { readFile, stat } from 'node:fs/promises';
import { isBearerToken } from '../authentication/authorization-header.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { CommandFailure, usageFailure } from './command-failure.ts';
import type { CtlOptions } from './ctl-options.ts';
import type { Terminal } from './terminal.ts';

/**
 * The token that a call shall carry: of `--token-file`, else of the environment; undefined where none is given. It is
 * no argument: those can be read by every user of the machine. No message repeats it.
 */
export async function readOwnToken({ token, tokenFile }: CtlOptions, terminal: Terminal): Promise<string | undefined> {
  if (token !== undefined && tokenFile !== undefined)
    throw usageFailure('SELVEDGECTL_TOKEN and SELVEDGECTL_TOKEN_FILE are both set.', 'Unset one of them.');
  if (token !== undefined) return checked(token, 'SELVEDGECTL_TOKEN');
  return tokenFile === undefined ? undefined : checked(await readTokenFile(tokenFile, terminal), tokenFile);
}

async function readTokenFile(file: string, terminal: Terminal): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      const bits = (mode & 0o777).toString(8);
      terminal.printError(`warning: ${file}: the token is accessible to group or others (mode 0${bits})`);
    }
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new CommandFailure(`Your token cannot be read: ${messageOf(error)}.`);
  }
}

function checked(token: string, place: string): string {
  if (isBearerToken(token)) return token;
  throw new CommandFailure(`${place} holds no token.`, 'It must hold the token alone, in one line.');
}
