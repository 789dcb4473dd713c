import type { Downgrade } from '../messaging/downgrades.ts';

/** What {@link statusNotices} looks at beside the members. */
export interface NoticeParts {
  /** Why the memory of members that spoke TLS could not be read at the start. */
  readonly memoryProblem: string | undefined;
  /** What the membership sources say of this node. */
  readonly members: { readonly notices: readonly string[] };
  /** What the mode asks for. */
  readonly modeNotices: () => readonly string[];
}

/** What an operator should look at although the node is well; it is not `degraded` by it. */
export function statusNotices(
  { memoryProblem, members: own, modeNotices }: NoticeParts,
  downgraded: ReadonlyMap<string, Downgrade>,
): readonly string[] {
  const members = [...downgraded].map(([name, { decision, since }]) => {
    const outcome = decision === 'deny' ? 'and is refused' : 'and is let in';
    return `${name} spoke mutual TLS and came back without it, ${outcome}, since ${since.toISOString()}`;
  });
  const memory =
    memoryProblem === undefined
      ? []
      : [`which members spoke TLS before the start is not known: the file ${memoryProblem}`];
  return [...members.sort(), ...memory, ...own.notices, ...modeNotices()];
}
