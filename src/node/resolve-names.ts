import { parsePattern, type SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';

const PLACEHOLDER = '{node-name}';

/** The patterns of a list that could be read. `*` must stand alone: beside another pattern, one of the two is a slip. */
export function resolvePatterns(
  path: OptionPath,
  texts: readonly string[],
  found: OptionProblems,
): readonly SubjectNamePattern[] {
  const star = texts.indexOf('*');
  if (star >= 0 && texts.length > 1)
    found.add(
      [...path, star],
      '"*" admits every certificate of the CA, which makes the other patterns meaningless.',
      'Remove "*", or let it stand alone.',
    );
  return found.parseList(path, texts, parsePattern);
}

/** The template as it was written; its mistakes are problems. */
export function resolveNodeIdentity(
  template: string,
  path: OptionPath,
  nodeName: string | undefined,
  found: OptionProblems,
): string {
  const problem = templateProblem(template);
  const remedy = `Write it like "uri:spiffe://prod/fabric/${PLACEHOLDER}" or "dns:${PLACEHOLDER}.fabric.example".`;
  if (problem !== undefined) found.add(path, problem, remedy);
  else found.parse(path, template.replaceAll(PLACEHOLDER, nodeName ?? 'node-1'), parsePattern);
  return template;
}

/** What is proven is one name, not a pattern; and which kind it is must not depend on how a node is called. */
function templateProblem(template: string): string | undefined {
  if (!template.includes(PLACEHOLDER))
    return `It must hold ${PLACEHOLDER}, or every node would have to prove the same name.`;
  if (template.includes('*')) return 'It names one node, so it holds no wildcard.';
  if (/^(?:uri|dns|cn):|:\/\//.test(template)) return undefined;
  return 'It does not say which kind of name must be proven.';
}
