import { editDistance } from '../identity/nearest-key.ts';
import { quoted } from '../identity/quoted.ts';
import { beginsMessagePath, isMessagePath, isOfMessageService } from '../rpc/message-path.ts';
import { isOwnMethod } from './method-rules.ts';
import type { TextPattern } from './text-pattern.ts';

const MAX_NEAREST = 3;

/**
 * What is wrong with a path of a rule; undefined where it does something. One that no method of the node matches does
 * not, nor one that would allow our own services alone: who may call those is not for a policy to widen. Kinds of messages
 * get their handlers while the node runs, so any may be named.
 */
export function checkPaths(
  pattern: TextPattern,
  effect: 'allow' | 'deny',
  methods: readonly string[],
): { readonly problem: string; readonly remedy: string } | undefined {
  if (isOfMessageService(pattern.text)) return checkKind(pattern);
  const matched = methods.filter(method => pattern.matches(method));
  if (matched.length === 0)
    return {
      problem: `This node serves no method that ${quoted(pattern.text)} is or matches.`,
      remedy: remedyFor(pattern, effect, methods),
    };
  if (effect === 'allow' && matched.every(isOwnMethod))
    return {
      problem: `${quoted(pattern.text)} is a service of the node itself, which no rule of a policy opens.`,
      remedy: 'Who may call it is said by `admin-subject-names`, `observer-subject-names` and `allowed-subject-names`.',
    };
  return undefined;
}

function checkKind({ text, kind }: TextPattern): ReturnType<typeof checkPaths> {
  if (kind === 'prefix' ? beginsMessagePath(text.slice(0, -1)) : isMessagePath(text)) return undefined;
  return {
    problem: `No message is of a kind that ${quoted(text)} is or matches.`,
    remedy: 'A kind is 1 to 64 of a-z, 0-9, ".", "_" and "-".',
  };
}

function remedyFor(pattern: TextPattern, effect: 'allow' | 'deny', methods: readonly string[]): string {
  if (effect === 'allow' && methods.every(isOwnMethod))
    return 'It serves no application, as the daemon does not: then an allow rule names no paths.';
  return `The nearest ${methods.length === 1 ? 'is' : 'are'} ${nearest(pattern, methods).join(', ')}.`;
}

/** The methods closest to what is fixed in a pattern, and of one service where the service alone is meant. */
function nearest({ text, kind }: TextPattern, methods: readonly string[]): readonly string[] {
  const fixed = kind === 'exact' ? text : text.replace('*', '');
  const comparable = (method: string): string => {
    if (kind === 'prefix') return method.slice(0, fixed.length);
    return kind === 'suffix' ? method.slice(-fixed.length) : method;
  };
  return methods
    .map(method => ({ method, edits: editDistance(fixed, comparable(method)) }))
    .toSorted((a, b) => a.edits - b.edits)
    .slice(0, MAX_NEAREST)
    .map(({ method }) => method);
}
