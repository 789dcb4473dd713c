import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/duration.ts';
import { usageFailure } from './command-failure.ts';

/** How to reach a node, and how to print; what was not given is undefined. */
export interface CtlOptions {
  readonly address?: string;
  readonly config?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  /** Where the token to send stands. */
  readonly tokenFile?: string;
  /** The token itself: never an option, which every user of the machine could read. */
  readonly token?: string;
  readonly allowPlaintext?: boolean;
  readonly timeout?: string;
  readonly output?: string;
}

type OptionName = keyof CtlOptions;

/** Each may be given in the environment too; an option wins over its variable. */
const VARIABLES: { readonly [Name in OptionName]-?: string } = {
  address: 'SELVEDGECTL_ADDRESS',
  config: 'SELVEDGECTL_CONFIG',
  tlsCa: 'SELVEDGECTL_TLS_CA',
  tlsCert: 'SELVEDGECTL_TLS_CERT',
  tlsKey: 'SELVEDGECTL_TLS_KEY',
  tlsServerName: 'SELVEDGECTL_TLS_SERVER_NAME',
  tokenFile: 'SELVEDGECTL_TOKEN_FILE',
  token: 'SELVEDGECTL_TOKEN',
  allowPlaintext: 'SELVEDGECTL_ALLOW_PLAINTEXT',
  timeout: 'SELVEDGECTL_TIMEOUT',
  output: 'SELVEDGECTL_OUTPUT',
};

export const OUTPUT_FORMATS = ['table', 'json'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export const DEFAULT_TIMEOUT = '10s';

/**
 * The options of a command that talks to a node. They may stand before the command as well as after it.
 * @param certFlags of the own certificate, where `--cert` means something else.
 */
export function addConnectionOptions(command: Command, certFlags = '--cert, --tls-cert <file>'): Command {
  const add = (flags: string, description: string, name: OptionName): Command =>
    command.addOption(new Option(flags, `${description} (${VARIABLES[name]})`).helpGroup('How to reach the node:'));
  add(
    '-s, --address <address>',
    'https://host:port, http://host:port or unix:/path; several with commas between: the first that answers. ' +
      'Default: the admin socket of --config, else https://127.0.0.1:5122',
    'address',
  );
  add('--config <file>', 'use the admin socket of the node with this configuration', 'config');
  add('--cacert, --tls-ca <file>', 'whom to trust, PEM', 'tlsCa');
  add(certFlags, 'your certificate, PEM', 'tlsCert');
  add('--key, --tls-key <file>', 'its private key, PEM', 'tlsKey');
  add(
    '--tls-server-name <name>',
    'who must answer: a name in place of the dialled host, or a pattern such as uri:spiffe://dev/fabric/*',
    'tlsServerName',
  );
  add(
    '--token-file <file>',
    'a token in place of a certificate, alone in its file; or the token itself in SELVEDGECTL_TOKEN',
    'tokenFile',
  );
  add(
    '--allow-plaintext',
    'accept http:// although TLS files or a token are given, or the mode of --config is strict',
    'allowPlaintext',
  );
  command.addOption(
    new Option(
      '--timeout <duration>',
      `how long to wait for an answer, default ${DEFAULT_TIMEOUT} (${VARIABLES.timeout})`,
    )
      .argParser(checkDuration)
      .helpGroup('How to reach the node:'),
  );
  return addOutputOption(command);
}

/** Every command can answer as a table for people or as JSON for programs. */
export function addOutputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', `table or json, default table (${VARIABLES.output})`).choices(OUTPUT_FORMATS),
  );
}

/** The options of a command and of those above it, the nearest first, then the environment. */
export function ctlOptionsOf(command: Command, env: Readonly<Record<string, string | undefined>>): CtlOptions {
  const options: Record<string, unknown> = {};
  for (const name of Object.keys(VARIABLES) as OptionName[]) {
    const value = givenOption(command, name) ?? readVariable(name, env);
    if (value !== undefined) options[name] = value;
  }
  // Who types --config means that node, whatever address the environment names.
  if (givenOption(command, 'config') !== undefined) options.address = givenOption(command, 'address');
  if (givenOption(command, 'tokenFile') !== undefined) delete options.token;
  return options;
}

/** @throws CommandFailure for a format from the environment that is none. */
export function outputFormatOf(options: CtlOptions): OutputFormat {
  const wanted = options.output ?? 'table';
  const format = OUTPUT_FORMATS.find(known => known === wanted);
  if (format === undefined)
    throw usageFailure(`${VARIABLES.output} is ${JSON.stringify(wanted)}.`, 'Use table or json.');
  return format;
}

export function timeoutMsOf(options: CtlOptions): number {
  const text = options.timeout ?? DEFAULT_TIMEOUT;
  const timeoutMs = parseDuration(text);
  if (timeoutMs === undefined || timeoutMs === 0)
    throw usageFailure(
      `${VARIABLES.timeout} is ${JSON.stringify(text)}.`,
      'Write a duration such as 500ms, 30s or 5m.',
    );
  return timeoutMs;
}

function givenOption(command: Command, name: OptionName): unknown {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    if (at.getOptionValueSource(name) === 'cli') return at.getOptionValue(name);
  }
  return undefined;
}

function readVariable(
  name: OptionName,
  env: Readonly<Record<string, string | undefined>>,
): string | boolean | undefined {
  const value = env[VARIABLES[name]];
  if (value === undefined || value === '') return undefined;
  return name === 'allowPlaintext' ? value !== '0' && value !== 'false' : value;
}

function checkDuration(text: string): string {
  if ((parseDuration(text) ?? 0) > 0) return text;
  throw new InvalidArgumentError('Write a duration such as 500ms, 30s or 5m.');
}
