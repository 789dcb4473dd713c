import { type Address, formatAddress, isWildcardHost, parseAddress, type TcpAddress } from '../identity/address.ts';
import { MAX_LABEL_LENGTH, problemOfLabel, problemOfWeight, problemOfZone } from '../identity/node-labels.ts';
import { isRecord, type Parsed } from '../lifecycle/kept-value.ts';

/** What operators may want of a node. The last two take it out of the members. */
export const ROSTER_STATES = ['active', 'draining', 'terminating', 'removed'] as const;
export type RosterState = (typeof ROSTER_STATES)[number];

/** What both records of a node may say of it. */
export interface NodeFactsRecord {
  readonly labels?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly weight?: number;
}

/** `members/NAME`: what operators say. What is left out is as the node itself says. */
export interface RosterRecord extends NodeFactsRecord {
  readonly state: RosterState;
  readonly addresses?: readonly Address[];
  /** Who wrote it, for people. */
  readonly by: string;
  /** Unix milliseconds, for people. */
  readonly atMs: number;
}

/** `nodes/NAME`: what a node says of itself. */
export interface Registration extends NodeFactsRecord {
  /** An address that only its own machine could dial (`unix:`) is left out when it is read. May be empty. */
  readonly addresses: readonly TcpAddress[];
  readonly generation: number;
  /** It left cleanly, and is none any more by its own word. Then it has no addresses. */
  readonly left?: true;
}

/** `holders/NAME`: which process has the name. */
export interface HolderRecord {
  /** Random, kept in the data directory of the node. */
  readonly id: string;
  readonly generation: number;
}

/** Most that is taken, as of what peers say. */
const MAX_ADDRESSES = 32;
const MAX_ADDRESS_LENGTH = 300;
const MAX_LABELS = 256;
const MAX_RECORD_LENGTH = 131_072;

/** All of a record is understood, or nothing; unknown fields are left to versions to come. Problems hold no text of the record. */
export function readRosterRecord(text: string): Parsed<RosterRecord> {
  return read(text, record => {
    const state = ROSTER_STATES.find(known => known === record.state);
    if (state === undefined) throw new TypeError('its state is not known');
    const { by, atMs } = record;
    if (!isPlainText(by) || typeof atMs !== 'number') throw new TypeError('it does not say by whom and when');
    const addresses = record.addresses === undefined ? {} : { addresses: readAddresses(record.addresses) };
    return { state, ...addresses, ...readFacts(record), by, atMs };
  });
}

export function readRegistration(text: string): Parsed<Registration> {
  return read(text, record => {
    const generation = readGeneration(record.generation);
    if (record.left === true) return { addresses: [], generation, left: true };
    const addresses = readAddresses(record.addresses).filter(address => address.kind === 'tcp');
    return { addresses, ...readFacts(record), generation };
  });
}

export function readHolderRecord(text: string): Parsed<HolderRecord> {
  return read(text, ({ id, generation }) => {
    if (!isPlainText(id) || id === '') throw new TypeError('it has no id');
    return { id, generation: readGeneration(generation) };
  });
}

/** The text that the `read` functions understand; equal for equal records. */
export function writeRecord(record: RosterRecord | Registration | HolderRecord): string {
  return JSON.stringify(
    'addresses' in record ? { ...record, addresses: record.addresses?.map(formatAddress) } : record,
  );
}

function read<T>(text: string, parse: (record: Readonly<Record<string, unknown>>) => T): Parsed<T> {
  if (text.length > MAX_RECORD_LENGTH) return { problem: 'it is too long' };
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return { problem: 'it is not JSON' };
  }
  if (!isRecord(root)) return { problem: 'it is not an object' };
  try {
    return { value: parse(root) };
  } catch (error) {
    return { problem: error instanceof TypeError ? error.message : 'an address is not one' };
  }
}

function readAddresses(value: unknown): readonly Address[] {
  if (!Array.isArray(value)) throw new TypeError('it has no list of addresses');
  if (value.length > MAX_ADDRESSES) throw new TypeError('it has too many addresses');
  return value.map(text => {
    if (typeof text !== 'string' || text.length > MAX_ADDRESS_LENGTH)
      throw new TypeError('an address is no short text');
    const address = parseAddress(text);
    if (isWildcardHost(address) || (address.kind === 'tcp' && address.port === 0))
      throw new TypeError('an address cannot be dialled');
    return address;
  });
}

function readFacts({ labels, zone, weight }: Readonly<Record<string, unknown>>): NodeFactsRecord {
  if (zone !== undefined && (typeof zone !== 'string' || problemOfZone(zone) !== undefined))
    throw new TypeError('its zone is no short text');
  const isWeight = typeof weight === 'number' && problemOfWeight(weight) === undefined;
  if (weight !== undefined && !isWeight) throw new TypeError('its weight is none');
  return {
    ...(labels === undefined ? {} : { labels: readLabels(labels) }),
    ...(zone === undefined ? {} : { zone }),
    ...(isWeight ? { weight } : {}),
  };
}

function readLabels(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) throw new TypeError('its labels are not an object');
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS) throw new TypeError('it has too many labels');
  return Object.fromEntries(
    entries.map(([name, label]) => {
      if (typeof label !== 'string' || problemOfLabel(name, label) !== undefined)
        throw new TypeError('a label is no short text');
      return [name, label];
    }),
  );
}

function readGeneration(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new TypeError('its generation is out of range');
  return value;
}

function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_LABEL_LENGTH && !/\p{Cc}/u.test(value);
}
