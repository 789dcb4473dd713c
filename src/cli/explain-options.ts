import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '../config/load-config.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import type { NodeSettings } from '../node/node-settings.ts';
import { nodeControl } from '../rpc/control-messages.ts';
import type { ExplainRequest, Explanation, Header } from '../rpc/explain-messages.ts';
import { CommandFailure, usageFailure } from './command-failure.ts';
import { setOption } from './config-options.ts';
import { type ControlSession, sessionOf, withExamples } from './ctl-command.ts';
import { addConnectionOptions, ctlOptionsOf } from './ctl-options.ts';
import type { CommandContext } from './run-program.ts';
import type { Terminal } from './terminal.ts';
import { loadTrustOnly } from './trust-only.ts';

/** Whom an `explain` command is about, and which calls; what was not given is undefined. */
export interface ExplainOptions {
  readonly cert?: readonly string[];
  readonly peer?: string;
  readonly connection?: number;
  readonly fingerprint?: string;
  readonly refused?: boolean;
  /** Of `authz explain` alone. */
  readonly tokenName?: string;
  readonly live?: boolean;
  readonly set: readonly string[];
  readonly method?: string;
  readonly header?: readonly string[];
}

/** An explanation, and the certificate file that it is about; null where it is about a connection or a member. */
export interface ExplainedSubject {
  readonly cert: string | null;
  readonly explanation: Explanation;
}

/** A command that explains certificates or live peers. */
export function explainCommand(summary: string, examples: readonly string[]): Command {
  const command = new Command('explain')
    .description(summary)
    .addOption(new Option('--cert <files...>', 'certificates to judge: PEM, leaf first and then intermediates; or DER'))
    .addOption(new Option('--peer <node>', 'a member: its open connections, or why there is none'))
    .addOption(
      new Option('--connection <id>', 'an open connection, as `selvedgectl connections` numbers them').argParser(
        readConnectionId,
      ),
    )
    .addOption(
      new Option('--fingerprint <sha256>', 'a certificate over which a connection is open, or was refused of late'),
    )
    .option('--refused', 'whose certificates the node refused of late: judged as it would judge them now')
    .option('--live', 'with --config and --cert: let the running node judge, over its admin socket')
    .addOption(setOption());
  // `--cert` is whom it is about: the own certificate has its longer name alone.
  return withExamples(addConnectionOptions(command, '--tls-cert <file>'), examples);
}

/** Whether admission alone is asked about: then no policy file is read. */
export type ExplainedTopic = 'admission' | 'calls';

/**
 * With `--config` and `--cert` the files are read and no node is asked; else a running node answers by what it decides by
 * at that moment.
 */
export async function explain(
  topic: ExplainedTopic,
  command: Command,
  options: ExplainOptions,
  context: CommandContext,
): Promise<readonly ExplainedSubject[]> {
  const { cert = [], peer, connection, fingerprint, refused, tokenName, live, set } = options;
  const subjects = [
    cert.length > 0,
    peer !== undefined,
    connection !== undefined,
    fingerprint !== undefined,
    refused === true,
    tokenName !== undefined,
  ];
  if (subjects.filter(Boolean).length !== 1)
    throw usageFailure(
      `${command.parent?.name()} explain needs one of --cert, --peer, --connection, --fingerprint${topic === 'calls' ? ', --token-name' : ''} and --refused.`,
    );
  const { config, address } = ctlOptionsOf(command, context.terminal.env);
  if (cert.length > 0 && config !== undefined && address === undefined && live !== true)
    return explainOffline(topic, config, { ...options, cert }, context.terminal);
  if (set.length > 0) throw usageFailure('--set changes what is read from a file, and a running node is asked.');
  if (cert.length > 0 && config === undefined && address === undefined)
    throw usageFailure('Say who judges: --config FILE reads a configuration, --address asks a running node.');
  return askNode(options, sessionOf(command, context), context.terminal);
}

/** One below the other. Only `--refused` may find nobody. */
export function renderEach(
  subjects: readonly ExplainedSubject[],
  render: (subject: ExplainedSubject) => string,
): string {
  return subjects.length === 0
    ? 'No certificate was refused of late. A Hello that was refused, such as of no member, is connection.refused in the log.'
    : subjects.map(render).join('\n\n');
}

async function askNode(
  { cert = [], peer, connection, fingerprint, refused, tokenName, method = '', header = [] }: ExplainOptions,
  session: ControlSession,
  terminal: Terminal,
): Promise<readonly ExplainedSubject[]> {
  const call = { method, headers: header.map(readHeader) };
  const ask = async (request: ExplainRequest, file: string | null): Promise<readonly ExplainedSubject[]> => {
    const { explanations, mode } = await session.call(nodeControl, 'Explain', request);
    if (mode === 'plain' && file !== null) warnOfPlain(terminal);
    return explanations.map(explanation => ({ cert: file, explanation }));
  };
  if (peer !== undefined) return ask({ ...call, nodeName: peer }, null);
  if (connection !== undefined) {
    const found = await ask({ ...call, connectionId: connection }, null);
    if (found.length > 0) return found;
    throw new CommandFailure(
      `No open connection has the number ${connection}.`,
      'selvedgectl connections lists those that are open.',
    );
  }
  if (refused === true) return ask({ ...call, refused }, null);
  if (tokenName !== undefined) return ask({ ...call, tokenName }, null);
  if (fingerprint !== undefined) {
    const found = await ask({ ...call, fingerprintSha256: fingerprint }, null);
    if (found.length > 0) return found;
    throw new CommandFailure(
      'No connection with a certificate of this fingerprint is open, and none was refused of late.',
      'selvedgectl tls explain --refused shows who was.',
    );
  }
  const explained: ExplainedSubject[] = [];
  for (const path of cert) explained.push(...(await ask({ ...call, certificate: await readCertificate(path) }, path)));
  return explained;
}

async function explainOffline(
  topic: ExplainedTopic,
  config: string,
  { cert = [], set, method = '', header = [] }: ExplainOptions,
  terminal: Terminal,
): Promise<readonly ExplainedSubject[]> {
  const { settings } = await loadConfig({ file: config, env: terminal.env, set });
  const trust = await loadTrustOnly(credentialsOf(settings, config), terminal.now());
  if (settings.mode === 'plain') warnOfPlain(terminal);
  const call = { method, headers: header.map(readHeader) };
  // Only this form needs what a node decides by, and loading it takes a while.
  const { callStandardsOf, explainCertificate } = await import('../node/explain.ts');
  const calls = await callStandardsOf(topic === 'calls' ? settings : withoutPolicies(settings));
  const explained: ExplainedSubject[] = [];
  for (const path of cert) {
    const request = { ...call, certificate: await readCertificate(path) };
    explained.push({ cert: path, explanation: explainCertificate(request, settings, trust, calls) });
  }
  return explained;
}

function withoutPolicies(settings: NodeSettings): NodeSettings {
  return {
    ...settings,
    authorization: { ...settings.authorization, policyFile: undefined, shadowPolicyFile: undefined },
  };
}

function credentialsOf({ tls }: NodeSettings, file: string): NonNullable<NodeSettings['tls']>['serverCredentials'] {
  if (tls !== undefined) return tls.serverCredentials;
  throw new CommandFailure(
    `${file} says nothing about TLS.`,
    'Add [networking.tls] with ca-file and allowed-subject-names.',
  );
}

function warnOfPlain(terminal: Terminal): void {
  terminal.printError(
    'warning: the mode is plain, in which no TLS is accepted; this is what optional and strict would say',
  );
}

async function readCertificate(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read: ${messageOf(error)}.`);
  }
}

function readHeader(text: string): Header {
  const at = text.indexOf('=');
  if (at < 1) throw usageFailure('--header is written KEY=VALUE.');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

function readConnectionId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write the number of a connection.');
}
