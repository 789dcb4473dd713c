import { editDistance, nearestKey } from '../identity/nearest-key.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';
import type { OptionShape, OptionShapes } from './option-shapes.ts';

/** How each kind of value is called, and how it is written. */
const WORDS: Readonly<Record<Extract<OptionShape, string> | 'table' | 'tables', string>> = {
  text: 'a text',
  number: 'a number',
  boolean: 'true or false',
  texts: 'a list of texts',
  'text or texts': 'a text or a list of texts',
  labels: 'an object of texts',
  time: 'a Date or a text',
  object: 'an object',
  table: 'an object with options',
  tables: 'a list of objects with options',
};

/**
 * A problem for each option that does not exist, which nothing would obey, and for each value of another kind than its
 * option takes. What no compiler has checked, such as the options of a program in JavaScript, gets no further.
 * @returns whether all values are of their kind, so that their meaning can be judged
 */
export function checkOptionShapes(options: object, shapes: OptionShapes, found: OptionProblems): boolean {
  return checkTable(options, shapes, [], { root: shapes, found });
}

interface Context {
  readonly root: OptionShapes;
  readonly found: OptionProblems;
}

function checkTable(options: object, shapes: OptionShapes, path: OptionPath, context: Context): boolean {
  let isOfKind = true;
  for (const [name, given] of Object.entries(options)) {
    if (given === undefined) continue;
    if (!Object.hasOwn(shapes, name)) reportUnknown(name, shapes, path, context);
    else if (!checkValue(given, shapes[name], [...path, name], context)) isOfKind = false;
  }
  return isOfKind;
}

function checkValue(given: unknown, shape: OptionShape | undefined, path: OptionPath, context: Context): boolean {
  const isOf = (kind: keyof typeof WORDS, isRight: boolean): boolean => {
    if (!isRight) context.found.add(path, `This is ${kindOf(given)} where ${WORDS[kind]} is expected.`);
    return isRight;
  };
  switch (shape) {
    case undefined:
      return true;
    case 'text':
      return isOf('text', typeof given === 'string');
    case 'number':
    case 'boolean':
      return isOf(shape, typeof given === shape);
    case 'time':
      return isOf('time', given instanceof Date || typeof given === 'string');
    case 'object':
      return isOf('object', isObject(given));
    case 'texts':
      return isOf('texts', Array.isArray(given)) && checkAll(given, 'text', path, context);
    case 'text or texts':
      return typeof given === 'string' || (isOf(shape, Array.isArray(given)) && checkAll(given, 'text', path, context));
    case 'labels':
      return isOf('labels', isObject(given)) && checkAll(given, 'text', path, context);
    default:
      if (shape.kind === 'tables')
        return isOf('tables', Array.isArray(given)) && checkAll(given, { ...shape, kind: 'table' }, path, context);
      return isOf('table', isObject(given)) && checkTable(given as object, shape.options, path, context);
  }
}

/** The elements of a list, or the values of an object. */
function checkAll(given: unknown, shape: OptionShape, path: OptionPath, context: Context): boolean {
  const entries = Array.isArray(given) ? [...given.entries()] : Object.entries(given as object);
  // Each of them, so that all mistakes are said.
  return entries.map(([at, value]) => checkValue(value, shape, [...path, at], context)).every(Boolean);
}

function isObject(given: unknown): given is object {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

/** What was given, without the value: it may be a pasted key. */
function kindOf(given: unknown): string {
  if (given === null || given === undefined) return String(given);
  if (Array.isArray(given)) return 'a list';
  return { string: 'a text', boolean: 'a boolean', object: 'an object' }[String(typeof given)] ?? `a ${typeof given}`;
}

function reportUnknown(name: string, shapes: OptionShapes, path: OptionPath, { root, found }: Context): void {
  const elsewhere = dottedOptionsOf(root).find(option => option.endsWith(`.${name}`));
  const nearest = elsewhere ?? nearOption(name, shapes, path);
  const remedy = nearest === undefined ? 'Remove it: nothing would obey it.' : `Did you mean \`${nearest}\`?`;
  found.add([...path, name], 'There is no such option.', remedy);
}

/** A name that is another one for the most part is no slip of the pen. */
function nearOption(name: string, shapes: OptionShapes, path: OptionPath): string | undefined {
  const nearest = nearestKey(name, Object.keys(shapes));
  if (nearest === undefined || editDistance(name, nearest) > name.length / 2) return undefined;
  return [...path.filter(part => typeof part === 'string'), nearest].join('.');
}

function dottedOptionsOf(shapes: OptionShapes): readonly string[] {
  return Object.entries(shapes).flatMap(([name, shape]) =>
    typeof shape === 'string' ? [name] : [name, ...dottedOptionsOf(shape.options).map(option => `${name}.${option}`)],
  );
}
