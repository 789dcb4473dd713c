import { loadConfig } from '../config/load-config.ts';
import { peekConfig } from '../config/peek-config.ts';
import type { ServerExpectation } from '../connector/server-expectation.ts';
import { tryReadCredentialFiles } from '../credentials/credential-files.ts';
import { describeProblem } from '../credentials/credential-problem.ts';
import { loadSnapshot } from '../credentials/load-snapshot.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Address, formatAddress, parseAddress, withScheme } from '../identity/address.ts';
import { PATTERN_KINDS, parsePattern } from '../identity/subject-name-pattern.ts';
import { CommandFailure, usageFailure } from './command-failure.ts';
import { type CtlOptions, timeoutMsOf } from './ctl-options.ts';
import { readOwnToken } from './own-token.ts';
import type { Terminal } from './terminal.ts';
import { loadTrustOnly } from './trust-only.ts';

/** Whom to ask, and how. */
export interface ControlTarget {
  /** To be tried in this order. `tcp` with a scheme, always; never empty. */
  readonly addresses: readonly Address[];
  /** Undefined: nothing is given, and no address needs it. */
  readonly trust: TrustSnapshot | undefined;
  /** Whether there is a certificate to show. */
  readonly hasCertificate: boolean;
  /** Sent to nodes that are not asked over a unix socket; undefined: none. */
  readonly token: string | undefined;
  readonly expectation: ServerExpectation;
  readonly timeoutMs: number;
}

const DEFAULT_ADDRESS = 'https://127.0.0.1:5122';

/** What the options mean. @throws CommandFailure, `address_invalid`, `pattern_invalid`, `config_invalid`, `credentials_invalid` */
export async function resolveTarget(options: CtlOptions, terminal: Terminal): Promise<ControlTarget> {
  const addresses = await addressesOf(options, terminal);
  await refusePlaintext(addresses, options, terminal);
  const needsTls = addresses.some(address => address.kind === 'tcp' && address.scheme === 'https');
  return {
    addresses,
    trust: needsTls ? await loadTrust(options, addresses, terminal.now()) : undefined,
    hasCertificate: options.tlsCert !== undefined,
    token: await readOwnToken(options, terminal),
    expectation: expectationOf(options.tlsServerName),
    timeoutMs: timeoutMsOf(options),
  };
}

async function addressesOf(options: CtlOptions, { env }: Terminal): Promise<readonly Address[]> {
  if (options.address !== undefined) {
    const addresses = options.address.split(',').map(text => withDefaultScheme(parseAddress(text.trim())));
    const wrong = addresses.find(address => address.kind === 'tcp' && address.port === 0);
    if (wrong !== undefined) throw usageFailure(`${formatAddress(wrong)} cannot be dialled: port 0 is no port.`);
    return addresses;
  }
  if (options.config === undefined) return [parseAddress(DEFAULT_ADDRESS)];
  return [{ kind: 'unix', path: await adminSocketFor(options.config, env) }];
}

async function adminSocketFor(file: string, env: Terminal['env']): Promise<string> {
  try {
    return (await loadConfig({ file, env, set: [] })).settings.adminSocket;
  } catch (error) {
    // The node may run well with what the file said before it was edited into a mistake.
    const path = peekConfig(file, env).adminSocket;
    if (path === undefined) throw error;
    return path;
  }
}

/** TLS is what is meant by those who say nothing. */
function withDefaultScheme(address: Address): Address {
  return address.kind === 'tcp' && address.scheme === undefined ? withScheme(address, 'https') : address;
}

async function refusePlaintext(addresses: readonly Address[], options: CtlOptions, { env }: Terminal): Promise<void> {
  const plain = addresses.find(address => address.kind === 'tcp' && address.scheme === 'http');
  if (plain === undefined || options.allowPlaintext === true) return;
  const why = await againstPlaintext(options, env);
  if (why === undefined) return;
  throw usageFailure(
    `${formatAddress(plain)} is plaintext, and ${why}.`,
    hasToken(options)
      ? 'Write https://; with --allow-plaintext everybody on the way can read the token and use it.'
      : 'Write https://, or --allow-plaintext if you mean it.',
  );
}

async function againstPlaintext(options: CtlOptions, env: Terminal['env']): Promise<string | undefined> {
  if (hasToken(options)) return 'a token is given';
  if (hasTlsFiles(options)) return 'TLS files are given';
  const { config } = options;
  return config !== undefined && (await isStrict(config, env)) ? `the mode of ${config} is strict` : undefined;
}

/** A configuration that has mistakes is strict, unless it says otherwise. */
async function isStrict(file: string, env: Terminal['env']): Promise<boolean> {
  try {
    return (await loadConfig({ file, env, set: [] })).settings.mode === 'strict';
  } catch {
    return (peekConfig(file, env).mode ?? 'strict') === 'strict';
  }
}

function hasTlsFiles({ tlsCa, tlsCert, tlsKey }: CtlOptions): boolean {
  return [tlsCa, tlsCert, tlsKey].some(file => file !== undefined);
}

function hasToken({ token, tokenFile }: CtlOptions): boolean {
  return token !== undefined || tokenFile !== undefined;
}

async function loadTrust(options: CtlOptions, addresses: readonly Address[], now: Date): Promise<TrustSnapshot> {
  const { tlsCa, tlsCert, tlsKey } = options;
  if (tlsCa === undefined) {
    const address = addresses.map(formatAddress).find(text => text.startsWith('https:')) ?? DEFAULT_ADDRESS;
    throw usageFailure(
      `${address} needs --tls-ca, and --tls-cert and --tls-key, or --token-file, where the node asks who you are.`,
      'On the machine of the node, --config FILE uses its admin socket and needs no certificate.',
    );
  }
  if (tlsCert === undefined && tlsKey === undefined)
    return loadTrustOnly({ kind: 'files', certFile: '', keyFile: '', caFiles: [tlsCa], crlFiles: [] }, now);
  if (tlsCert === undefined || tlsKey === undefined)
    throw usageFailure(
      `--tls-cert and --tls-key belong together, and --tls-${tlsCert === undefined ? 'cert' : 'key'} is missing.`,
    );
  const files = { certFile: tlsCert, keyFile: tlsKey, caFiles: [tlsCa], crlFiles: [] };
  const loading = await loadSnapshot({ read: () => tryReadCredentialFiles(files) }, undefined, now);
  if (loading.result === 'ok') return loading.snapshot;
  const problems = loading.result === 'failed' ? loading.problems.map(describeProblem) : [];
  throw new CommandFailure(
    `Your credentials cannot be used: ${problems.join('; ')}.`,
    problems.some(problem => problem.includes('expired'))
      ? 'Renew them, such as with: selvedgectl certs rotate NAME.'
      : '',
  );
}

/** A bare name is a host name or address, never a common name. */
function expectationOf(serverName: string | undefined): ServerExpectation {
  if (serverName === undefined) return { kind: 'host' };
  const isPattern = serverName.includes('://') || PATTERN_KINDS.some(kind => serverName.startsWith(`${kind}:`));
  return isPattern ? { kind: 'names', patterns: [parsePattern(serverName)] } : { kind: 'host', name: serverName };
}
