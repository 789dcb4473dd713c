import { chooseTargets } from '../connector/dial-target.ts';
import type { ChannelSecurity } from '../connector/fabric-channel-credentials.ts';
import { refusedByUs, refusedServer } from '../connector/refused-server.ts';
import { unexpectedServer } from '../connector/server-expectation.ts';
import { callOnce, type SingleAnswer } from '../connector/single-call.ts';
import { type OutboundPolicy, profileFor } from '../connector/trust-profile.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress, formatHostPort, type TcpAddress, withScheme } from '../identity/address.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { AddressHolder, Identify } from '../membership/address-holder.ts';
import { introduceMethod, type WireIntroduction } from '../messaging/frame.ts';
import { type Introduction, parseIntroduction } from '../messaging/introduction.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { NodeSettings } from './node-settings.ts';

export interface IdentifyParts {
  /** What is dialled and with what, of now. */
  readonly outbound: () => OutboundPolicy;
  readonly settings: ObservableValue<Pick<NodeSettings, 'clusterName' | 'nodeName' | 'networking'>>;
  readonly metrics: Pick<Metrics, 'connectionsRefused'>;
  /** Told of each answer that this node refuses. */
  readonly refused: (peer: RefusedPeer) => void;
}

/** More than the longest introduction that is taken. */
const MAX_INTRODUCTION_BYTES = 262_144;

const ANYBODY_OF_THE_CA = { kind: 'names', patterns: [parsePattern('*')] } as const;

/**
 * Asks who answers at an address (`Fabric.Introduce`), over what this node's mode dials there. Over TLS nothing that is said
 * is believed before the certificate proves the name that is said. In `optional` an address is asked in plaintext first, as
 * every one without a scheme; a node that refuses plaintext, or says that it speaks TLS, is asked again over that and must
 * prove who it is, and is asked over TLS alone from then on, as long as it answers.
 */
export function identifyWith(parts: IdentifyParts): Identify {
  return async (address, signal, known) => {
    try {
      return await identify(address, parts, signal, known?.isProven === true);
    } catch (error) {
      if (!isSelvedgeError(error, 'refused')) throw error;
      parts.metrics.connectionsRefused.inc({ reason: error.facts.reason });
      if (error.facts.by === 'us')
        parts.refused({
          direction: 'outbound',
          remoteAddress: formatHostPort(address),
          ...error.facts,
          identity: refusedServer(error),
        });
      throw error;
    }
  };
}

async function identify(
  address: TcpAddress,
  parts: IdentifyParts,
  signal: AbortSignal,
  spokeTls: boolean,
): Promise<AddressHolder> {
  const policy = parts.outbound();
  const [first] = chooseTargets(policy.mode, [address]);
  if (first?.scheme === 'http' && !(spokeTls && policy.mode === 'optional')) {
    const { reason } = first;
    const said = await askInPlaintext(address, { kind: 'none', reason }, parts, signal);
    if (said !== undefined && (policy.mode === 'plain' || said.mode === 'plain')) return holderOf(said, false);
  }
  return holderOf(await askOverTls(withScheme(address, 'https'), policy, parts, signal), true);
}

/** Undefined where plaintext is refused, as by a node in strict. */
async function askInPlaintext(
  address: TcpAddress,
  security: ChannelSecurity,
  parts: IdentifyParts,
  signal: AbortSignal,
): Promise<Introduction | undefined> {
  try {
    const { response } = await ask(address, security, parts, signal);
    return ofCluster(parseIntroduction(response), parts);
  } catch (error) {
    const isTls = isSelvedgeError(error, 'refused') && error.facts.reason === 'plaintext_refused';
    if (isTls && parts.outbound().mode === 'optional') return undefined;
    throw error;
  }
}

async function askOverTls(
  address: TcpAddress,
  policy: OutboundPolicy,
  parts: IdentifyParts,
  signal: AbortSignal,
): Promise<Introduction> {
  const profile = profileFor(policy.profiles, address);
  if (profile === undefined)
    throw refusal('no_usable_address', `no credentials are configured for ${formatAddress(address)}`);
  const { nodeIdentity, trust } = profile;
  if (nodeIdentity === undefined)
    throw refusal('no_usable_address', `no node-identity is configured for ${formatAddress(address)}`);
  const { minVersion, denied } = policy;
  const security = { kind: 'mutual_tls', trust, minVersion, denied, expectation: ANYBODY_OF_THE_CA } as const;
  const { response, identity } = await ask(address, security, parts, signal);
  const said = parseIntroduction(response);
  const expected = { kind: 'names', patterns: [nodeIdentity(said.nodeName)] } as const;
  if (identity === undefined || unexpectedServer(expected, identity, address.host) !== undefined)
    throw refusedByUs('server_identity_mismatch', `the certificate does not prove ${said.nodeName}`, identity);
  return ofCluster(said, parts);
}

function ask(
  address: TcpAddress,
  security: ChannelSecurity,
  { settings }: IdentifyParts,
  signal: AbortSignal,
): Promise<SingleAnswer<WireIntroduction>> {
  const { nodeName, networking } = settings.value;
  const limits = { timeoutMs: networking.connectTimeoutMs, maxResponseBytes: MAX_INTRODUCTION_BYTES, signal };
  return callOnce(address, security, introduceMethod, { nodeName }, limits);
}

function ofCluster(said: Introduction, { settings }: IdentifyParts): Introduction {
  if (said.clusterName === settings.value.clusterName) return said;
  throw refusal('cluster_mismatch', `${said.nodeName} is of the cluster ${JSON.stringify(said.clusterName)}`);
}

function holderOf(said: Introduction, isProven: boolean): AddressHolder {
  const { nodeName: name, generation, labels, zone } = said;
  return { name, generation, isProven, labels, ...(zone === undefined ? {} : { zone }) };
}

function refusal(reason: RefusalReason, detail: string) {
  return refusedByUs(reason, detail, undefined);
}
