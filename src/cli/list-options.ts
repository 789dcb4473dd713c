import { type Command, Option } from 'commander';
import { compareNames } from '../identity/compare-names.ts';
import type { Peer } from '../rpc/control-messages.ts';
import { addLabelOption } from './label-option.ts';

const STATES = ['connected', 'connecting', 'refused', 'unreachable', 'draining', 'idle', 'self'] as const;
const LIVENESS = ['unknown', 'alive', 'suspect', 'draining', 'dead'] as const;
const MODES = ['plain', 'optional', 'strict'] as const;

const COLUMNS = ['name', 'zone', 'weight', 'state', 'liveness', 'version', 'since'] as const;
type Column = (typeof COLUMNS)[number];
type Order = (a: Peer, b: Peer) => number;

/** How `--sort` orders two nodes; 0: as equal. */
const ORDERS: { readonly [Name in Column]: Order } = {
  name: () => 0,
  zone: byText(({ zone }) => zone),
  weight: (a, b) => b.weight - a.weight,
  state: byText(({ state }) => state),
  liveness: byText(({ liveness }) => liveness),
  version: byText(({ version }) => version),
  since: (a, b) => b.sinceMs - a.sinceMs,
};

/** Which nodes are listed, and in which order; what was not given is undefined. */
export interface ListOptions {
  readonly label?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly state?: (typeof STATES)[number];
  readonly liveness?: (typeof LIVENESS)[number];
  readonly mode?: (typeof MODES)[number];
  readonly sort?: Column;
}

export function addListOptions(command: Command): Command {
  return addLabelOption(command, 'only nodes with this label; given again: with all of them')
    .option('--zone <zone>', 'only nodes of this zone')
    .addOption(
      new Option('--state <state>', 'only nodes in this state; draining: members that drain, too').choices(STATES),
    )
    .addOption(new Option('--liveness <liveness>', 'only nodes that live like this').choices(LIVENESS))
    .addOption(new Option('--mode <mode>', 'only nodes in this mode').choices(MODES))
    .addOption(
      new Option(
        '--sort <column>',
        'default name. weight: the heaviest first; since: the latest first; others: A to Z, without one last; equal ones by name',
      ).choices(COLUMNS),
    );
}

/** Those that match everything that is asked for, sorted; equal ones by name, `node-2` before `node-10`. */
export function listedNodes(
  nodes: readonly Peer[],
  { label = {}, zone, state, liveness, mode, sort = 'name' }: ListOptions,
): readonly Peer[] {
  return nodes
    .filter(node => Object.entries(label).every(([name, value]) => node.labels[name] === value))
    .filter(node => zone === undefined || node.zone === zone)
    .filter(node => state === undefined || node.state === state || (state === 'draining' && isDraining(node)))
    .filter(node => liveness === undefined || node.liveness === liveness)
    .filter(node => mode === undefined || node.mode === mode)
    .toSorted((a, b) => ORDERS[sort](a, b) || compareNames(a.nodeName, b.nodeName));
}

/** Whether a node gets nothing new by the word of the membership source, whatever it says itself. */
export function isDraining({ membershipState }: Pick<Peer, 'membershipState'>): boolean {
  return membershipState === 'draining';
}

function byText(textOf: (node: Peer) => string): Order {
  return (a, b) => {
    const [one, other] = [textOf(a), textOf(b)];
    return Number(one === '') - Number(other === '') || compareNames(one, other);
  };
}
