import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BearerRole } from '../../authentication/bearer-role.ts';
import { generateToken, hashOfToken } from '../../authentication/static-token.ts';
import { formatToken, parseRoles, parseTime } from '../../authentication/token-file.ts';
import { isTokenName } from '../../rpc/token-name.ts';
import { usageFailure } from '../command-failure.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import type { CommandContext } from '../run-program.ts';
import { renderFields } from '../table.ts';

interface NewTokenOptions {
  readonly name: string;
  readonly role: ReadonlySet<BearerRole>;
  readonly expires?: number;
}

/** `selvedgectl token new` */
export function tokenNewCommand(context: CommandContext): Command {
  const command = offlineCommand('new', 'make a token, and the line for the token file of the nodes', [
    'selvedgectl token new --name alice --role admin --expires 2027-01-31',
    'selvedgectl token new --name dashboard --role observer -o json',
  ])
    .addOption(
      new Option('--name <name>', 'whose it is; stands in logs and audit records')
        .argParser(readName)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--role <role>', 'admin, observer, or both with a comma between')
        .argParser(readRoles)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--expires <time>',
        'until when it is good, such as 2027-01-31 or 2027-01-31T12:00:00Z; default for ever',
      ).argParser(readExpiry),
    )
    .addHelpText(
      'after',
      '\nThe token is shown this once and kept nowhere: nodes know its hash alone. Give it to its holder in a file that' +
        '\nnobody else can read, for --token-file; append the line to the token-file of every node.',
    );
  return command.action(({ name, role: roles, expires = Number.POSITIVE_INFINITY }: NewTokenOptions) => {
    const { terminal } = context;
    if (expires <= terminal.now().getTime()) throw usageFailure('--expires lies in the past.');
    const token = generateToken();
    const line = formatToken({ name, roles, hash: hashOfToken(token), expiresAtMs: expires });
    printerOf(command, context)({ token, line }, () =>
      renderFields(
        [
          ['token', token],
          ['line', line],
        ],
        terminal.paint,
      ),
    );
  });
}

function readName(text: string): string {
  if (isTokenName(text)) return text;
  throw new InvalidArgumentError('Use letters, digits and ._@-, 64 at most.');
}

function readRoles(text: string): ReadonlySet<BearerRole> {
  const roles = parseRoles(text);
  if (roles === undefined) throw new InvalidArgumentError('Use admin, observer or admin,observer.');
  return roles;
}

function readExpiry(text: string): number {
  const unixMs = parseTime(text) ?? parseTime(`${text}T00:00:00Z`);
  if (unixMs === undefined) throw new InvalidArgumentError('Write it like 2027-01-31 or 2027-01-31T12:00:00Z, in UTC.');
  return unixMs;
}
