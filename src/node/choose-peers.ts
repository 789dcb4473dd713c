import { randomInt } from 'node:crypto';

const PEERS_ASKED = 3;

/** Up to three of the nodes that can be asked: those who refused before, then others as chance has it. */
export function choosePeers(
  nodes: readonly string[],
  refusedBefore: ReadonlySet<string>,
  random: (below: number) => number = below => randomInt(below),
): readonly string[] {
  const chosen = nodes.filter(node => refusedBefore.has(node)).slice(0, PEERS_ASKED);
  const others = nodes.filter(node => !refusedBefore.has(node));
  while (chosen.length < PEERS_ASKED && others.length > 0) chosen.push(...others.splice(random(others.length), 1));
  return chosen;
}
