import { SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress, isWildcardHost, parseAddress, type TcpAddress } from '../identity/address.ts';
import { DEFAULT_WEIGHT, problemOfWeight, problemOfZone } from '../identity/node-labels.ts';
import { isNodeName } from '../identity/node-name.ts';
import type { WireIntroduction } from './frame.ts';

const MODES = ['plain', 'optional', 'strict'] as const;
export type NodeMode = (typeof MODES)[number];

/** Most that is taken of what a peer says of itself. */
const MAX_TEXT_LENGTH = 128;
const MAX_ADDRESSES = 32;
const MAX_ADDRESS_LENGTH = 300;
const MAX_LABELS = 256;

/** Who a node says it is, and how it says it can be reached. Every text in it is short and without control characters. */
export interface Introduction {
  readonly clusterName: string;
  readonly nodeName: string;
  /** Grows at each start of the node. */
  readonly generation: number;
  /** With scheme, the preferred first; may be empty, as for a node on a unix socket. */
  readonly addresses: readonly TcpAddress[];
  readonly mode: NodeMode;
  readonly labels: Readonly<Record<string, string>>;
  /** Version of the software, for people. */
  readonly version: string;
  /** Fingerprint of the certificate that it shows now to those who dial it, lowercase hex; undefined where it does not say. */
  readonly serverCertificateSha256: string | undefined;
  /** What fails together with it; undefined where it does not say. */
  readonly zone: string | undefined;
  /** Its share of the calls among those that are picked from, 0 to 65,535; 1 where it does not say. */
  readonly weight: number;
}

/**
 * Reads what a peer said of itself. An address that only its own machine could dial (`unix:`) is left out; everything
 * else that is not as it must be refuses the whole.
 * @throws refused (`handshake_failed`) with a text that names the field and holds nothing of what the peer sent.
 */
export function parseIntroduction(wire: WireIntroduction | null | undefined): Introduction {
  if (wire === null || wire === undefined) throw malformed('there is none');
  if (wire.clusterName === '' || !isPlainText(wire.clusterName))
    throw malformed('the cluster name is empty or no text');
  if (!isNodeName(wire.nodeName)) throw malformed('the node name is not one');
  if (!Number.isSafeInteger(wire.generation) || wire.generation < 1) throw malformed('the generation is out of range');
  if (!isPlainText(wire.version)) throw malformed('the version is too long or no text');
  return {
    clusterName: wire.clusterName,
    nodeName: wire.nodeName,
    generation: wire.generation,
    addresses: parseAddresses(wire.advertisedAddresses),
    mode: parseMode(wire.mode),
    labels: parseLabels(wire.labels),
    version: wire.version,
    serverCertificateSha256: parseFingerprint(wire.serverCertificateSha256),
    zone: parseZone(wire.zone),
    weight: parseWeight(wire.weight),
  };
}

export function introductionToWire(introduction: Introduction): WireIntroduction {
  const { addresses, serverCertificateSha256 = '', zone = '', ...rest } = introduction;
  return { ...rest, serverCertificateSha256, zone, advertisedAddresses: addresses.map(formatAddress) };
}

/** The refusal of a peer that does not keep to the protocol; `problem` must not hold a text of the peer. */
export function malformedFrame(problem: string): SelvedgeError<'refused'> {
  return new SelvedgeError('refused', `handshake_failed: ${problem}`, {
    reason: 'handshake_failed',
    by: 'us',
    detail: problem,
  });
}

function malformed(problem: string): SelvedgeError<'refused'> {
  return malformedFrame(`the introduction is malformed: ${problem}`);
}

function parseMode(text: string): NodeMode {
  const mode = MODES.find(known => known === text);
  if (mode === undefined) throw malformed('the mode is not known');
  return mode;
}

function parseFingerprint(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^[0-9a-f]{64}$/.test(text)) throw malformed('the fingerprint of the certificate is none');
  return text;
}

function parseAddresses(texts: readonly string[]): readonly TcpAddress[] {
  if (texts.length > MAX_ADDRESSES) throw malformed('there are too many addresses');
  const byText = new Map<string, TcpAddress>();
  for (const text of texts) {
    if (text.startsWith('unix:')) continue;
    const address = text.length > MAX_ADDRESS_LENGTH ? undefined : tryParseAddress(text);
    if (address === undefined) throw malformed('an address is not one that can be dialled');
    byText.set(formatAddress(address), address);
  }
  return [...byText.values()];
}

function tryParseAddress(text: string): TcpAddress | undefined {
  try {
    const address = parseAddress(text);
    const dialable = address.kind === 'tcp' && address.scheme !== undefined && address.port !== 0;
    return dialable && !isWildcardHost(address) ? address : undefined;
  } catch {
    return undefined;
  }
}

function parseLabels(wire: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const labels = Object.entries(wire);
  if (labels.length > MAX_LABELS) throw malformed('there are too many labels');
  for (const [name, value] of labels) {
    if (name === '' || !isPlainText(name) || !isPlainText(value)) throw malformed('a label is too long or no text');
  }
  return Object.fromEntries(labels);
}

function parseZone(text: string): string | undefined {
  if (text === '') return undefined;
  if (problemOfZone(text) !== undefined) throw malformed('the zone is too long or no text');
  return text;
}

function parseWeight(weight = DEFAULT_WEIGHT): number {
  if (problemOfWeight(weight) !== undefined) throw malformed('the weight is out of range');
  return weight;
}

function isPlainText(text: string): boolean {
  return text.length <= MAX_TEXT_LENGTH && !/\p{Cc}/u.test(text);
}
