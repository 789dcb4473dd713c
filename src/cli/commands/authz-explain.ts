import { type Command, InvalidArgumentError, Option } from 'commander';
import { isTokenName, TOKEN_PREFIX } from '../../rpc/token-name.ts';
import { usageFailure } from '../command-failure.ts';
import { printerOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import { type ExplainedSubject, type ExplainOptions, explain, explainCommand, renderEach } from '../explain-options.ts';
import { callsJson, renderCalls } from '../render-calls.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedgectl authz explain` */
export function authzExplainCommand(context: CommandContext): Command {
  const command = explainCommand('which methods a certificate, a peer or a token may call, and by which rule', [
    'selvedgectl authz explain --config node.toml --peer node-2',
    'selvedgectl authz explain --config node.toml --cert certs/alice.pem --method /selvedge.control.v1.NodeControl/Drain',
    'selvedgectl authz explain --config node.toml --connection 7 --method /acme.shop.v1.Orders/Place --header tenant=a',
    'selvedgectl authz explain --config node.toml --token-name robot',
  ])
    .addOption(
      new Option(
        '--token-name <name>',
        'a static token by its name in the token file: whether it is taken, and for what',
      ).argParser(readTokenName),
    )
    .addOption(new Option('--method <path>', '/package.Service/Method. Default: every method that the node serves'))
    .addOption(new Option('--header <pairs...>', 'KEY=VALUE of the metadata of the call'))
    .addHelpText(
      'after',
      '\nWith --config and --cert no node is asked, and services of applications are not known; --live asks the running node ' +
        'instead.\nExits 3 if any of them is not admitted, or may not call the method of --method.',
    );
  return command.action(async (options: ExplainOptions) => {
    const { terminal } = context;
    const subjects = callersOf(await explain('calls', command, options, context));
    printerOf(command, context)(subjects.map(callsJson), () =>
      renderEach(subjects, subject => renderCalls(subject, terminal)),
    );
    const mayAll = subjects.every(
      ({ explanation: { admitted, methods } }) =>
        admitted && (options.method === undefined || methods.every(({ enforced }) => enforced?.allowed === true)),
    );
    if (!mayAll) context.finish(EXIT.checkSaidNo);
  });
}

function readTokenName(text: string): string {
  if (isTokenName(text)) return text;
  // commander quotes what was given: never a token.
  if (text.startsWith(TOKEN_PREFIX))
    throw usageFailure('--token-name takes the name of a token, never the token itself.');
  throw new InvalidArgumentError('Write the name of a token: letters, digits and ._@-, 64 at most.');
}

/** A server calls nothing; it stands here only where no more is known of the peer. */
function callersOf(subjects: readonly ExplainedSubject[]): readonly ExplainedSubject[] {
  const callers = subjects.filter(({ explanation: { usage } }) => usage === 'client');
  return callers.length > 0 ? callers : subjects;
}
