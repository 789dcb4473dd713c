import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { EtcdClient } from '../rpc/etcd-client.ts';
import { etcdFailureOf } from '../rpc/etcd-failure.ts';
import { printable } from '../telemetry/logger.ts';
import { etcdKey } from './etcd-keys.ts';
import { type RosterRecord, readRosterRecord, writeRecord } from './etcd-records.ts';
import { isOut } from './etcd-view.ts';
import { notGranted } from './etcd-words.ts';
import type { MembershipChange, MembershipEditor } from './membership-editor.ts';

export interface EtcdEditorParts {
  readonly client: Pick<EtcdClient, 'get' | 'transact'>;
  readonly prefix: string;
  /** Whether the source knows of a node by itself, such as one that is kept although etcd lost it. */
  readonly isKnown: (nodeName: string) => boolean;
  /** Who we are for etcd, for messages. */
  readonly user: () => string | undefined;
}

/** How often a change is tried where somebody else changed the same record meanwhile. */
const TRIES = 8;
const STATES = { add: 'active', drain: 'draining', remove: 'removed', terminate: 'terminating' } as const;

/** Writes `members/NAME` by transactions that hold only while the record is as it was read. */
export function createEtcdEditor(parts: EtcdEditorParts): MembershipEditor {
  return {
    change: async (change, by, isKnown = false) => {
      const known = { ...parts, isKnown: (name: string) => isKnown || parts.isKnown(name) };
      try {
        await write(known, change, by);
      } catch (error) {
        throw error instanceof SelvedgeError ? error : inWords(parts, change, error);
      }
    },
  };
}

async function write(
  { client, prefix, isKnown }: EtcdEditorParts,
  change: MembershipChange,
  by: string,
): Promise<void> {
  const { name } = change;
  const key = etcdKey(prefix, 'members', name);
  for (let round = 0; round < TRIES; round += 1) {
    const present = await client.get(key);
    const read = present === undefined ? undefined : readRosterRecord(present.value);
    // One that cannot be understood is replaced: there is nothing in it to go on from.
    const roster = read !== undefined && 'value' in read ? read.value : undefined;
    const isThere = roster !== undefined || isKnown(name) || (await isRegistered(client, prefix, name));
    const next = rosterAfter(roster, isThere, change, by);
    const unchanged = { key, modRevision: present?.modRevision ?? 0 };
    if (await client.transact([unchanged], [{ kind: 'put', key, value: writeRecord(next) }])) return;
  }
  throw new SelvedgeError('membership_unavailable', `${key} in etcd is changed by others all the time; try again`, {
    source: 'etcd',
    problem: 'the record is changed by others all the time',
  });
}

async function isRegistered(client: EtcdEditorParts['client'], prefix: string, name: string): Promise<boolean> {
  return (await client.get(etcdKey(prefix, 'nodes', name))) !== undefined;
}

/** @throws member_unknown */
function rosterAfter(
  roster: RosterRecord | undefined,
  isThere: boolean,
  change: MembershipChange,
  by: string,
): RosterRecord {
  const { name, kind } = change;
  const written = { state: STATES[kind], by: printable(by, 100), atMs: Date.now() };
  if (kind === 'add') {
    const { addresses, labels, zone, weight } = change;
    if (!isThere && addresses.length === 0)
      throw unknown(
        name,
        `${name} has not registered itself in etcd: start it, or give its address with --node-address`,
      );
    return {
      ...roster,
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(labels === undefined ? {} : { labels }),
      ...(zone === undefined ? {} : { zone }),
      ...(weight === undefined ? {} : { weight }),
      ...written,
    };
  }
  if (!isThere) throw unknown(name, `${name} is not a member`);
  if (kind === 'drain' && roster !== undefined && isOut(roster.state))
    throw unknown(name, `${name} was removed; add it before it can drain`);
  return { ...roster, ...written };
}

function unknown(name: string, message: string): SelvedgeError<'member_unknown'> {
  return new SelvedgeError('member_unknown', message, { node: name });
}

function inWords({ prefix, user }: EtcdEditorParts, { name }: MembershipChange, error: unknown): SelvedgeError {
  const { kind, problem } = etcdFailureOf(error);
  const source = 'etcd';
  if (kind === 'denied')
    return new SelvedgeError(
      'membership_not_writable',
      `${notGranted(user(), etcdKey(prefix, 'members', name))}, or ask a node whose user may`,
      { source },
    );
  const said = printable(problem);
  return new SelvedgeError('membership_unavailable', `nothing is known to be changed: ${said}`, {
    source,
    problem: said,
  });
}
