import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { IssuedFiles } from '../dev-pki/cert-store.ts';
import { CommandFailure } from './command-failure.ts';
import { renderFields } from './table.ts';
import type { Terminal } from './terminal.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Certificates count seconds in four-digit years. */
const MAX_DAYS = 36_500;

export function addDirectoryOption(command: Command): Command {
  return command.option('--dir <directory>', 'where the CA and what it issues lie', 'certs');
}

/** @param byDefault in words, for the help. */
export function addDaysOption(command: Command, byDefault: string): Command {
  return command.addOption(
    new Option('--days <days>', `days from now until it expires (default: ${byDefault})`).argParser(parseDays),
  );
}

export function addForceOption(command: Command): Command {
  return command.option('--force', 'replace files that are there already');
}

/** @throws CommandFailure where no CA was made in the directory yet. */
export function expectCertStore(directory: string): void {
  if (existsSync(join(directory, 'ca.pem'))) return;
  const remedy = `Make one with \`selvedgectl certs init --dir ${directory} --cluster NAME\`.`;
  throw new CommandFailure(`There is no CA in ${directory}.`, remedy);
}

/** The end of validity that `--days` means, for the functions of `dev-pki`, which have defaults of their own. */
export function notAfterOf(days: number | undefined, { now }: Terminal): { readonly notAfter?: Date } {
  return days === undefined ? {} : { notAfter: new Date(now().getTime() + days * DAY_MS) };
}

export function renderIssued(issued: IssuedFiles, { paint }: Terminal): string {
  return renderFields(
    [
      ['name', issued.name],
      ['certificate', issued.certFile],
      ['key', issued.keyFile],
    ],
    paint,
  );
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= MAX_DAYS) return days;
  throw new InvalidArgumentError(`Give a whole number of days, 1 to ${MAX_DAYS}.`);
}
