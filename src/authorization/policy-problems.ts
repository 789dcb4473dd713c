import type { ConfigProblem } from '../errors/selvedge-error.ts';
import { nearestKey } from '../identity/nearest-key.ts';
import { quoted } from '../identity/quoted.ts';
import { type JsonEntry, type JsonNode, placeIn } from './json-node.ts';

const IN_WORDS = {
  object: 'an object',
  array: 'a list',
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  null: 'null',
} as const;

type Kind = keyof typeof IN_WORDS;
type NodeOf<K extends Kind> = Extract<JsonNode, { readonly kind: K }>;

/** A value of the policy and how it is called in problems: `allow_rules[0].name`. */
export interface PlacedNode<Node extends JsonNode = JsonNode> {
  readonly key: string;
  readonly node: Node;
}

/** More than a person reads; each place costs a look at the whole file. */
const MAX_PROBLEMS = 100;

/** Collects what is wrong with a policy, the first 100 that are found, each with its place. What is of the wrong kind is told and then left out. */
export class PolicyProblems {
  readonly #found: { readonly offset: number; readonly problem: ConfigProblem }[] = [];
  readonly #source: string;
  readonly #file: string;

  constructor(source: string, file: string) {
    this.#source = source;
    this.#file = file;
  }

  /** In the order of the file. */
  get all(): readonly ConfigProblem[] {
    return this.#found.toSorted((a, b) => a.offset - b.offset).map(({ problem }) => problem);
  }

  add(key: string, offset: number, problem: string, remedy = ''): void {
    if (this.#found.length >= MAX_PROBLEMS) return;
    const place = `${this.#file}:${placeIn(this.#source, offset)}`;
    this.#found.push({ offset, problem: { key, place, problem, remedy } });
  }

  /** The fields of an object, of which none may be unknown and none may be there twice. */
  fields<Name extends string>(value: PlacedNode, known: readonly Name[]): { readonly [N in Name]?: PlacedNode } {
    const fields: { [N in Name]?: PlacedNode } = {};
    for (const entry of this.#as(value, 'object')?.entries ?? []) {
      const name = known.find(each => each === entry.key);
      const key = value.key === '' ? entry.key : `${value.key}.${entry.key}`;
      if (name === undefined) this.#unknown(entry, key, known);
      else if (fields[name] === undefined) fields[name] = { key, node: entry.value };
      else this.add(key, entry.offset, 'This stands here a second time.', 'Keep one: which one counts is not guessed.');
    }
    return fields;
  }

  /** @returns no items where it is absent. */
  items(value: PlacedNode | undefined): readonly PlacedNode[] {
    const items = value === undefined ? [] : (this.#as(value, 'array')?.items ?? []);
    return items.map((node, index) => ({ key: `${value?.key}[${index}]`, node }));
  }

  texts(value: PlacedNode | undefined): readonly PlacedNode<NodeOf<'string'>>[] {
    return this.items(value).flatMap(({ key, node }) => {
      const found = this.#as({ key, node }, 'string');
      return found === undefined ? [] : [{ key, node: found }];
    });
  }

  text(value: PlacedNode | undefined): string | undefined {
    return value === undefined ? undefined : this.#as(value, 'string')?.value;
  }

  isTrue(value: PlacedNode | undefined): boolean {
    return value !== undefined && this.#as(value, 'boolean')?.value === true;
  }

  /** A text that must be there and not be empty. @returns the empty text where it is not. */
  requiredText(value: PlacedNode | undefined, parent: PlacedNode, name: string): string {
    const text = this.text(value);
    const key = parent.key === '' ? name : `${parent.key}.${name}`;
    if (value === undefined) this.add(key, parent.node.offset, 'This is missing.');
    else if (text === '') this.add(key, value.node.offset, 'This is empty.');
    return text ?? '';
  }

  #as<K extends Kind>({ key, node }: PlacedNode, kind: K): NodeOf<K> | undefined {
    if (isOfKind(node, kind)) return node;
    this.add(key, node.offset, `This is ${IN_WORDS[node.kind]}, and must be ${IN_WORDS[kind]}.`);
    return undefined;
  }

  #unknown({ offset, key: written }: JsonEntry, key: string, known: readonly string[]): void {
    const nearest = nearestKey(written, known);
    this.add(
      key,
      offset,
      `There is no field ${quoted(written)} here.`,
      `Fields are ${known.join(', ')}; the nearest is ${nearest}.`,
    );
  }
}

function isOfKind<K extends Kind>(node: JsonNode, kind: K): node is NodeOf<K> {
  return node.kind === kind;
}
