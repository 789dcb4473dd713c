import type { Command } from 'commander';
import { printerOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import { type ExplainOptions, explain, explainCommand, renderEach } from '../explain-options.ts';
import { admissionJson, renderAdmission } from '../render-admission.ts';
import type { CommandContext } from '../run-program.ts';

/** `selvedgectl tls explain` */
export function tlsExplainCommand(context: CommandContext): Command {
  const command = explainCommand('why a certificate or a peer is admitted or not, and as what', [
    'selvedgectl tls explain --config node.toml --cert certs/node-2.pem',
    'selvedgectl tls explain --config node.toml --cert certs/*.pem -o json',
    'selvedgectl tls explain --config node.toml --peer node-2',
    'selvedgectl tls explain -s https://node-1:5122 --tls-ca ca.pem --tls-cert admin.pem --tls-key admin.key --cert x.pem',
  ]).addHelpText(
    'after',
    '\nWith --config and --cert no node is asked: only the CA files and CRLs of the configuration are read, no key. ' +
      '--live asks the running node instead.\nExits 3 if any certificate or connection is not admitted.',
  );
  return command.action(async (options: ExplainOptions) => {
    const { terminal } = context;
    const subjects = (await explain('admission', command, options, context)).filter(
      // Whether the holder could call as well is what authz explain is for.
      ({ explanation: { usage, direction } }) => usage !== 'client' || direction !== 'outbound',
    );
    printerOf(command, context)(subjects.map(admissionJson), () =>
      renderEach(subjects, subject => renderAdmission(subject, terminal)),
    );
    if (subjects.some(({ explanation }) => !explanation.admitted)) context.finish(EXIT.checkSaidNo);
  });
}
