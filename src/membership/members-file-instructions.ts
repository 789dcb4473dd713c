import { isDeepStrictEqual } from 'node:util';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import type { Member } from './member.ts';
import type { MembershipChange, MembershipEditor } from './membership-editor.ts';
import type { MembershipView } from './membership-source.ts';

/**
 * The editor of a members file, which no node writes: a change that the file already holds is done, any other one is
 * refused as `membership_not_writable` with what to edit on every node.
 */
export function membersFileEditor(file: string, view: () => MembershipView): MembershipEditor {
  return {
    change: async change => {
      const instructions = membersFileInstructions(file, change, view());
      if (instructions !== undefined)
        throw new SelvedgeError('membership_not_writable', instructions, { source: 'file' });
    },
  };
}

/**
 * What to do with a members file, in lines, the lines of TOML as they are to stand in it; undefined where it says so already.
 * @throws member_unknown; usage where an address is missing.
 */
export function membersFileInstructions(
  file: string,
  change: MembershipChange,
  { members, removed }: MembershipView,
): string | undefined {
  const { name, kind } = change;
  const member = members.find(each => each.name === name);
  const isRemoved = removed.includes(name);
  if (kind === 'add') return toAdd(file, change, member, removed);
  if (member === undefined && !(isRemoved && kind !== 'drain'))
    throw new SelvedgeError('member_unknown', `${file} lists no member ${name}`, { node: name });
  switch (kind) {
    case 'drain':
      if (member?.isDraining === true) return undefined;
      return `In ${file}, on every node, write below the line with the name ${name}:\n\ndraining = true`;
    case 'remove':
      return isRemoved ? undefined : toRemove(file, name, removed);
    case 'terminate':
      return [...(isRemoved ? [] : [toRemove(file, name, removed), '']), toEnd(name)].join('\n');
  }
}

function toAdd(
  file: string,
  { name, addresses, labels, zone, weight }: Extract<MembershipChange, { kind: 'add' }>,
  member: Member | undefined,
  removed: readonly string[],
): string | undefined {
  const said = { zone: zone ?? member?.zone, weight: weight ?? member?.weight };
  const next: Member = {
    name,
    addresses: addresses.length > 0 ? addresses : (member?.addresses ?? []),
    labels: labels ?? member?.labels ?? {},
    ...(said.zone === undefined ? {} : { zone: said.zone }),
    ...(said.weight === undefined ? {} : { weight: said.weight }),
  };
  if (next.addresses.length === 0)
    throw new SelvedgeError('usage', `${file} needs an address of ${name}: give it with --node-address.`, {
      problem: 'no address',
    });
  if (member !== undefined && isSame(next, member)) return undefined;
  if (member !== undefined)
    return `In ${file}, on every node, replace the [[member]] table of ${name} by:\n\n${tableOf(next)}`;
  const lines = [`Add these lines to ${file} on every node:`, '', tableOf(next)];
  if (!removed.includes(name)) return lines.join('\n');
  return [...lines, '', `and ${removedLine(removed.filter(each => each !== name))}`].join('\n');
}

function toRemove(file: string, name: string, removed: readonly string[]): string {
  const all = [...removed, name].sort();
  return `In ${file}, on every node, delete the [[member]] table of ${name}, and ${removedLine(all)}`;
}

function removedLine(removed: readonly string[]): string {
  return `let this be the line that begins with "removed", before the first [[member]]:\n\nremoved = ${listOf(removed)}`;
}

function toEnd(name: string): string {
  return `End the process of ${name}, which finishes what runs first: on its machine, with its own configuration file:\n\nselvedgectl drain --config node.toml`;
}

/** The labels of a file have no prototype. */
function isSame(a: Member, b: Member): boolean {
  return isDeepStrictEqual({ ...a, labels: { ...a.labels } }, { ...b, labels: { ...b.labels } });
}

function tableOf({ name, addresses, labels, zone, weight }: Member): string {
  const texts = addresses.map(formatAddress);
  const labelled = Object.entries(labels).map(([label, value]) => `${keyOf(label)} = ${textOf(value)}`);
  return [
    '[[member]]',
    `name = ${textOf(name)}`,
    `address = ${texts.length === 1 ? textOf(texts[0] ?? '') : listOf(texts)}`,
    ...(labelled.length === 0 ? [] : [`labels = { ${labelled.join(', ')} }`]),
    ...(zone === undefined ? [] : [`zone = ${textOf(zone)}`]),
    ...(weight === undefined ? [] : [`weight = ${weight}`]),
  ].join('\n');
}

function listOf(texts: readonly string[]): string {
  return `[${texts.map(textOf).join(', ')}]`;
}

function keyOf(label: string): string {
  return /^[A-Za-z0-9_-]+$/.test(label) ? label : textOf(label);
}

/** A basic string of TOML, which may hold no DEL where one of JSON may. */
function textOf(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}
