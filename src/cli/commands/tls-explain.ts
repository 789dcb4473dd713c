import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { loadConfig } from '../../config/load-config.ts';
import { messageOf } from '../../errors/selvedge-error.ts';
import type { NodeSettings } from '../../node/node-settings.ts';
import { wordCell } from '../cells.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { setOption } from '../config-options.ts';
import { offlineCommand, printerOf } from '../ctl-command.ts';
import { ctlOptionsOf } from '../ctl-options.ts';
import { EXIT } from '../exit-codes.ts';
import { type AdmissionRules, type Explanation, explainCertificate } from '../explain-certificate.ts';
import type { CommandContext } from '../run-program.ts';
import { renderFields } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { loadTrustOnly } from '../trust-only.ts';

interface ExplainOptions {
  readonly cert: readonly string[];
  readonly set: readonly string[];
}

/** `selvedgectl tls explain` */
export function tlsExplainCommand(context: CommandContext): Command {
  const command = offlineCommand(
    'explain',
    'what a node with this configuration says to certificates, without asking it',
    [
      'selvedgectl tls explain --config node.toml --cert certs/node-2.pem',
      'selvedgectl tls explain --config node.toml --cert certs/*.pem -o json',
    ],
  )
    .option('--config <file>', 'the configuration of the node (SELVEDGECTL_CONFIG)')
    .addOption(
      new Option(
        '--cert <files...>',
        'certificates to judge: PEM, leaf first and then intermediates; or DER',
      ).makeOptionMandatory(),
    )
    .addOption(setOption())
    .addHelpText(
      'after',
      '\nOnly the CA files and CRLs of the configuration are read, no key. Exits 3 if any certificate is not admitted.',
    );
  return command.action(async ({ cert, set }: ExplainOptions) => {
    const { terminal } = context;
    const print = printerOf(command, context);
    const file = ctlOptionsOf(command, terminal.env).config;
    if (file === undefined) throw usageFailure('tls explain needs --config FILE.');
    const { settings } = await loadConfig({ file, env: terminal.env, set });
    const rules = await rulesOf(settings, file, terminal);
    const explanations: Explanation[] = [];
    for (const path of cert)
      explanations.push(explainCertificate(path, await readCertificate(path), rules, terminal.now()));
    print(explanations, () => explanations.map(explanation => renderExplanation(explanation, terminal)).join('\n\n'));
    if (explanations.some(({ admitted }) => !admitted)) context.finish(EXIT.checkSaidNo);
  });
}

async function rulesOf(
  { tls, mode, authorization }: NodeSettings,
  file: string,
  terminal: Terminal,
): Promise<AdmissionRules> {
  if (tls === undefined)
    throw new CommandFailure(
      `${file} says nothing about TLS.`,
      'Add [networking.tls] with ca-file and allowed-subject-names.',
    );
  if (mode === 'plain')
    terminal.printError(
      'warning: the mode is plain, in which no TLS is accepted; this is what optional and strict would say',
    );
  return {
    trust: await loadTrustOnly(tls.serverCredentials, terminal.now()),
    denied: tls.deniedCertificates,
    lists: {
      peer: tls.allowedSubjectNames,
      admin: authorization.adminSubjectNames,
      observer: authorization.observerSubjectNames,
    },
  };
}

async function readCertificate(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read: ${messageOf(error)}.`);
  }
}

function renderExplanation({ cert, admitted, roles, reason, detail }: Explanation, { paint }: Terminal): string {
  return renderFields(
    [
      ['certificate', cert],
      ['admitted', wordCell(admitted ? 'yes' : 'no')],
      ['roles', roles.join(', ')],
      ['reason', reason ?? ''],
      ['detail', detail],
    ],
    paint,
  );
}
