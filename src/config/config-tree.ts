import type { KeyPath } from './field.ts';
import type { Override } from './overrides.ts';
import { isTable } from './value-types.ts';

/** A value of the file that something else stands above. */
export interface MaskedValue {
  /** `networking.tls.mode` */
  readonly key: string;
  /** What overrides it: the name of a variable, or `--set`. */
  readonly by: string;
}

/** What the file says, with what the environment and `--set` say laid over it. */
export interface ConfigTree {
  readonly root: Readonly<Record<string, unknown>>;
  readonly masked: readonly MaskedValue[];
  /** The override that decided the value at `path`, or something it is part of; undefined where it was the file. */
  placeOf(path: KeyPath): string | undefined;
}

/** Lays `overrides` over `file`, the later over the earlier. Neither is changed. */
export function overlay(file: Readonly<Record<string, unknown>>, overrides: readonly Override[]): ConfigTree {
  const masked = new Map<string, string>();
  const places = new Map<string, string>();
  let root = file;
  for (const { path, value, place } of overrides) {
    const key = path.join('.');
    if (holds(file, path)) masked.set(key, place);
    places.set(key, place);
    root = withValue(root, path, value);
  }
  return {
    root,
    masked: [...masked].map(([key, by]) => ({ key, by })),
    placeOf: path => {
      for (let length = path.length; length > 0; length--) {
        const place = places.get(path.slice(0, length).join('.'));
        if (place !== undefined) return place;
      }
      return undefined;
    },
  };
}

type Tree = Readonly<Record<string, unknown>>;

function holds(tree: unknown, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return true;
  return isTable(tree) && Object.hasOwn(tree, name) && holds(tree[name], rest);
}

/** Where the file has something else than a table in the way, it stays: that mistake is reported when it is read. */
function withValue(tree: Tree, path: readonly string[], value: unknown): Tree {
  const [name, ...rest] = path;
  if (name === undefined) return tree;
  if (rest.length === 0) return { ...tree, [name]: value };
  const below = Object.hasOwn(tree, name) ? tree[name] : {};
  return isTable(below) ? { ...tree, [name]: withValue(below, rest, value) } : tree;
}
