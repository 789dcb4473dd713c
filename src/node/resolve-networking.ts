import { type Address, isWildcardHost, parseAddress } from '../identity/address.ts';
import type { NetworkingOptions, TlsMode } from './node-options.ts';
import type { NetworkingSettings } from './node-settings.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';

/** Below it a Hello or a Welcome might not fit. */
const MIN_MESSAGE_BYTES = 4_096;

/** Below them every few messages would wait for those before. */
const MIN_QUEUE_BYTES = 4_096;
const MIN_WINDOW_BYTES = 4_096;
/** Beyond it the counts of a stream, which go round at 2^32, could not be compared. */
const MAX_WINDOW_BYTES = 1_073_741_824;

/** Below it grpc-js takes this instead. */
const MIN_IDLE_TIMEOUT_MS = 1_000;

const BIND = ['networking', 'bindAddress'];
const ADVERTISED = ['networking', 'advertisedAddresses'];

/**
 * Undefined where the bind address cannot be read. Without a `mode` (it was not a known one) the rules that depend on
 * it are not judged.
 */
export function resolveNetworking(
  options: NetworkingOptions,
  mode: TlsMode | undefined,
  found: OptionProblems,
): NetworkingSettings | undefined {
  const bindAddress = found.parse(BIND, options.bindAddress ?? '0.0.0.0:5122', parseAddress);
  if (bindAddress !== undefined) judgeBindAddress(bindAddress, mode, found);
  const advertised = resolveAdvertised(options.advertisedAddresses, bindAddress, mode, found);
  const limits = resolveLimits(options, found);
  return bindAddress === undefined ? undefined : { bindAddress, advertised, ...limits };
}

function judgeBindAddress(address: Address, mode: TlsMode | undefined, found: OptionProblems): void {
  if (address.kind === 'tcp' && address.scheme !== undefined)
    found.add(
      BIND,
      `A bind address has no scheme, and this one has "${address.scheme}".`,
      'Write host:port alone; `networking.tls.mode` decides what is spoken.',
    );
  if (address.kind === 'unix' && mode === 'strict')
    found.add(
      BIND,
      'A unix socket is plaintext, which the mode strict refuses.',
      'Bind to host:port, or lower `networking.tls.mode`.',
    );
}

function resolveAdvertised(
  texts: readonly string[] | undefined,
  bound: Address | undefined,
  mode: TlsMode | undefined,
  found: OptionProblems,
): readonly Address[] | undefined {
  if (texts === undefined) return undefined;
  if (texts.length === 0)
    found.add(ADVERTISED, 'An empty list advertises nothing.', 'Leave it out to advertise the bind address.');
  const read = texts.map((text, index) => ({
    index,
    address: found.parse([...ADVERTISED, index], text, parseAddress),
  }));
  const addresses: Address[] = [];
  for (const { index, address } of read) {
    if (address === undefined) continue;
    addresses.push(address);
    judgeAdvertisedAddress([...ADVERTISED, index], address, bound, mode, found);
  }
  if (addresses.length === texts.length && addresses.length > 0) judgeSchemes(addresses, mode, found);
  return addresses;
}

function judgeAdvertisedAddress(
  path: OptionPath,
  address: Address,
  bound: Address | undefined,
  mode: TlsMode | undefined,
  found: OptionProblems,
): void {
  if (isWildcardHost(address))
    found.add(
      path,
      'A wildcard cannot be dialled, so it is never advertised.',
      'Write the host name or address that peers reach.',
    );
  if (address.kind === 'tcp' && address.port === 0 && bound?.kind === 'unix')
    found.add(path, 'Port 0 stands for the port that was bound, and a unix socket has none.', 'Write the port.');
  if (mode === 'plain' && address.kind === 'tcp' && address.scheme === 'https')
    found.add(
      path,
      'The mode plain speaks no TLS, so https cannot be advertised.',
      'Leave the scheme out, or raise `networking.tls.mode` to "optional".',
    );
}

/** What the mode asks of the list as a whole. An address without a scheme gets all that the mode needs. */
function judgeSchemes(addresses: readonly Address[], mode: TlsMode | undefined, found: OptionProblems): void {
  const isPlaintext = (address: Address) => address.kind === 'unix' || address.scheme === 'http';
  const isTls = (address: Address) => address.kind === 'tcp' && address.scheme === 'https';
  if (mode === 'strict' && addresses.every(isPlaintext))
    found.add(
      ADVERTISED,
      'The mode strict refuses plaintext, and nothing else is advertised.',
      'Leave the scheme out, or write https://.',
    );
  else if (mode === 'strict' && addresses.some(isPlaintext))
    found.warn(
      ADVERTISED,
      'The plaintext addresses are not advertised: the mode strict refuses plaintext.',
      'Leave the scheme out.',
    );
  if (mode === 'optional' && addresses.every(isTls))
    found.warn(
      ADVERTISED,
      'Peers in the mode plain cannot reach this node: no http address is advertised.',
      'Leave the scheme out to advertise both.',
    );
}

type Limits = Omit<NetworkingSettings, 'bindAddress' | 'advertised'>;

function resolveLimits(options: NetworkingOptions, found: OptionProblems): Limits {
  const at = (option: keyof Limits) => ['networking', option];
  const durationMs = (option: keyof Limits, byDefault: number) =>
    found.durationMs(at(option), options[option] ?? byDefault);
  const count = (option: keyof Limits, byDefault: number, min?: number, max?: number) =>
    found.count(at(option), options[option] ?? byDefault, min, max);

  const limits: Limits = {
    drainTimeoutMs: durationMs('drainTimeoutMs', 30_000),
    maxConnections: count('maxConnections', 10_000),
    maxConnectionsWithoutCertificate: count('maxConnectionsWithoutCertificate', 1_000),
    maxUnfinishedHandshakes: count('maxUnfinishedHandshakes', 1_000),
    maxConcurrentCalls: count('maxConcurrentCalls', 1_000),
    maxMessageBytes: count('maxMessageBytes', 4_194_304, MIN_MESSAGE_BYTES),
    messageQueueBytes: count('messageQueueBytes', 16_777_216, MIN_QUEUE_BYTES),
    messageWindowBytes: count('messageWindowBytes', 1_048_576, MIN_WINDOW_BYTES, MAX_WINDOW_BYTES),
    maxStreamedCallBytes: count('maxStreamedCallBytes', 262_144, 0),
    heartbeatIntervalMs: durationMs('heartbeatIntervalMs', 5_000),
    heartbeatTimeoutMs: durationMs('heartbeatTimeoutMs', 15_000),
    watchedMembers: count('watchedMembers', 16),
    idleTimeoutMs: durationMs('idleTimeoutMs', 300_000),
    reconnectMaxDelayMs: durationMs('reconnectMaxDelayMs', 5_000),
    connectTimeoutMs: durationMs('connectTimeoutMs', 10_000),
    holdTimeoutMs: durationMs('holdTimeoutMs', 30_000),
    refusedHoldTimeoutMs: durationMs('refusedHoldTimeoutMs', 3_000),
  };
  if (limits.heartbeatTimeoutMs <= limits.heartbeatIntervalMs)
    found.add(
      at(options.heartbeatTimeoutMs === undefined ? 'heartbeatIntervalMs' : 'heartbeatTimeoutMs'),
      `Every peer stream would be given up: the heartbeat timeout (${limits.heartbeatTimeoutMs} ms) is not longer than the interval (${limits.heartbeatIntervalMs} ms).`,
      'Make `networking.heartbeatTimeoutMs` at least twice `networking.heartbeatIntervalMs`.',
    );
  if (limits.idleTimeoutMs > 0 && limits.idleTimeoutMs < MIN_IDLE_TIMEOUT_MS)
    found.add(at('idleTimeoutMs'), 'Connections would be dialled again and again.', 'Give at least 1s.');
  return limits;
}
