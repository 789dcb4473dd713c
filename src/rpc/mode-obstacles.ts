import type { ModeObstacle } from './control-messages.ts';

/** What may stand in the way of moving a node to a mode. A closed list; the words beside a code are for people. */
export const MODE_OBSTACLES = [
  'no_credentials',
  'not_the_next_mode',
  'member_not_connected',
  'member_in_plain',
  'member_without_mutual_tls',
  'member_in_strict',
  'plaintext_connections',
] as const;
export type ModeObstacleCode = (typeof MODE_OBSTACLES)[number];

const WORDS: { readonly [Code in ModeObstacleCode]: (nodeName: string, detail: string) => string } = {
  no_credentials: () => 'This node has no credentials: give it cert-file, key-file and ca-file in [networking.tls].',
  not_the_next_mode: () => 'The way leads through optional: peers that are not there yet would be cut off.',
  member_not_connected: (node, why) =>
    `${orSome(node)} is not connected${why === '' ? '' : ` (${why})`}, so it is not known what it speaks.`,
  member_in_plain: node => `${orSome(node)} is in mode plain and could not reach this node.`,
  member_without_mutual_tls: node => `${orSome(node)} is connected without mutual TLS.`,
  member_in_strict: node => `${orSome(node)} is in mode strict and would refuse this node.`,
  plaintext_connections: (_, number) =>
    number === ''
      ? 'Plaintext connections are open.'
      : `${number} plaintext connection(s) are open; \`selvedgectl connections\` shows whose.`,
};

/** An obstacle as a sentence; the code as it stands where it is of a newer version. */
export function obstacleInWords({ code, nodeName, detail }: ModeObstacle): string {
  const known = MODE_OBSTACLES.find(each => each === code);
  return known === undefined ? [code, nodeName, detail].filter(Boolean).join(' ') : WORDS[known](nodeName, detail);
}

function orSome(nodeName: string): string {
  return nodeName === '' ? 'A member' : nodeName;
}
