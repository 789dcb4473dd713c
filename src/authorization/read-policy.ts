import type { ConfigProblem } from '../errors/selvedge-error.ts';
import { quoted } from '../identity/quoted.ts';
import { checkPaths } from './check-paths.ts';
import { type HeaderPattern, headerPattern } from './header-pattern.ts';
import { readJson } from './json-node.ts';
import type { Policy, PolicyRule } from './policy.ts';
import { type PlacedNode, PolicyProblems } from './policy-problems.ts';
import { type PrincipalPattern, parsePrincipal } from './principal.ts';
import { type TextPattern, textPattern } from './text-pattern.ts';

export type PolicyReading = { readonly policy: Policy } | { readonly problems: readonly ConfigProblem[] };

const CONDITIONS = ['NONE', 'ON_DENY', 'ON_ALLOW', 'ON_DENY_AND_ALLOW'] as const;

/**
 * Reads a policy file: JSON of gRFC A43 with `audit_logging_options` of gRFC A59. Nothing is ignored: what is unknown, of
 * the wrong type, there twice, or can never match is a problem; all of them come at once, in the order of the file.
 * @param file names the file in problems.
 * @param methods which paths the node serves, `/package.Service/Method` each. A rule that names none of them is wrong.
 */
export function readPolicy(source: string, file: string, methods: readonly string[]): PolicyReading {
  const problems = new PolicyProblems(source, file);
  const document = readJson(source);
  if ('mistake' in document) {
    problems.add('', document.offset, `This is not JSON: ${document.mistake}`);
    return { problems: problems.all };
  }
  const reader = new PolicyReader(problems, source, methods);
  const policy = reader.read({ key: '', node: document });
  return problems.all.length > 0 ? { problems: problems.all } : { policy };
}

class PolicyReader {
  readonly #problems: PolicyProblems;
  readonly #source: string;
  readonly #methods: readonly string[];

  constructor(problems: PolicyProblems, source: string, methods: readonly string[]) {
    this.#problems = problems;
    this.#source = source;
    this.#methods = methods;
  }

  read(root: PlacedNode): Policy {
    const fields = this.#problems.fields(root, ['name', 'deny_rules', 'allow_rules', 'audit_logging_options']);
    if (fields.allow_rules === undefined)
      this.#problems.add(
        'allow_rules',
        root.node.offset,
        'This is missing.',
        'An empty list allows no service of the application to anybody.',
      );
    const name = this.#problems.requiredText(fields.name, root, 'name');
    if (name === 'built-in')
      this.#problems.add('name', root.node.offset, 'This is how the rules of the node itself are called.');
    return {
      name,
      text: this.#source,
      denyRules: this.#readRules(fields.deny_rules, 'deny'),
      allowRules: this.#readRules(fields.allow_rules, 'allow'),
      auditsAllowed: this.#readAudit(fields.audit_logging_options),
    };
  }

  #readRules(list: PlacedNode | undefined, effect: 'allow' | 'deny'): readonly PolicyRule[] {
    const rules: PolicyRule[] = [];
    const firsts = new Map<string, number>();
    for (const item of this.#problems.items(list)) {
      const rule = this.#readRule(item, effect);
      const first = rule.name === '' ? undefined : firsts.get(rule.name);
      if (first === undefined) firsts.set(rule.name, rules.length);
      else
        this.#problems.add(
          `${item.key}.name`,
          item.node.offset,
          `${list?.key}[${first}] is called ${quoted(rule.name)} too.`,
          'Decisions name their rule.',
        );
      rules.push(rule);
    }
    return rules;
  }

  #readRule(item: PlacedNode, effect: 'allow' | 'deny'): PolicyRule {
    const { name, source, request } = this.#problems.fields(item, ['name', 'source', 'request']);
    const { principals } = source === undefined ? {} : this.#problems.fields(source, ['principals']);
    const { paths, headers } = request === undefined ? {} : this.#problems.fields(request, ['paths', 'headers']);
    return {
      name: this.#problems.requiredText(name, item, 'name'),
      principals: this.#readPrincipals(principals, effect),
      paths: this.#readPaths(paths, effect),
      headers: this.#problems.items(headers).flatMap(header => this.#readHeader(header)),
    };
  }

  #readPrincipals(list: PlacedNode | undefined, effect: 'allow' | 'deny'): readonly PrincipalPattern[] {
    return this.#problems.texts(list).flatMap(({ key, node }) => {
      const principal = parsePrincipal(node.value);
      if (!('kind' in principal)) this.#problems.add(key, node.offset, principal.problem);
      else if (principal.kind === 'bearer' && effect === 'allow')
        this.#problems.add(
          key,
          node.offset,
          `${quoted(node.value)} allows nothing: tokens are looked at on the services of the node alone.`,
          'What a token allows there follows from its role.',
        );
      else return [principal];
      return [];
    });
  }

  #readPaths(list: PlacedNode | undefined, effect: 'allow' | 'deny'): readonly TextPattern[] {
    return this.#problems.texts(list).map(({ key, node }) => {
      const pattern = textPattern(node.value);
      const wrong = checkPaths(pattern, effect, this.#methods);
      if (wrong !== undefined) this.#problems.add(key, node.offset, wrong.problem, wrong.remedy);
      return pattern;
    });
  }

  #readHeader(item: PlacedNode): readonly HeaderPattern[] {
    const { key, values } = this.#problems.fields(item, ['key', 'values']);
    const written = this.#problems.requiredText(key, item, 'key');
    const texts = this.#problems.texts(values).map(({ node }) => node.value);
    if (values === undefined || (values.node.kind === 'array' && values.node.items.length === 0))
      this.#problems.add(`${item.key}.values`, item.node.offset, 'This is missing or empty.', '"*" is any value.');
    if (written === '') return [];
    const pattern = headerPattern(written, texts);
    if ('values' in pattern) return [pattern];
    this.#problems.add(`${item.key}.key`, item.node.offset, pattern.problem, pattern.remedy);
    return [];
  }

  #readAudit(options: PlacedNode | undefined): boolean {
    if (options === undefined) return false;
    const fields = this.#problems.fields(options, ['audit_condition', 'audit_logger']);
    for (const logger of this.#problems.items(fields.audit_logger)) this.#readLogger(logger);
    const written = this.#problems.text(fields.audit_condition);
    const condition = CONDITIONS.find(each => each === written);
    if (fields.audit_condition !== undefined && written !== undefined && condition === undefined)
      this.#problems.add(
        fields.audit_condition.key,
        fields.audit_condition.node.offset,
        `${quoted(written)} is no condition.`,
        `Conditions are ${CONDITIONS.join(', ')}.`,
      );
    return condition === 'ON_ALLOW' || condition === 'ON_DENY_AND_ALLOW';
  }

  #readLogger(logger: PlacedNode): void {
    const fields = this.#problems.fields(logger, ['name', 'config', 'is_optional']);
    this.#problems.requiredText(fields.name, logger, 'name');
    if (this.#problems.isTrue(fields.is_optional)) return;
    this.#problems.add(
      logger.key,
      logger.node.offset,
      'A policy cannot say where audit records go: the configuration does, for all of them.',
      'Take it out, or say `"is_optional": true`.',
    );
  }
}
