import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { type ConfigProblem, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { FabricNodeOptions } from '../node/node-options.ts';
import type { NodeSettings, OptionProblem } from '../node/node-settings.ts';
import { resolveNodeOptions } from '../node/resolve-options.ts';
import { CONFIG_KEYS, inWordsOfTheFile, keyPathOf, keyText } from './config-keys.ts';
import { CONFIG_SCHEMA } from './config-schema.ts';
import { type MaskedValue, overlay } from './config-tree.ts';
import { placeOfEndpointSocket, withEndpointSocket } from './endpoint-socket.ts';
import type { KeyPath } from './field.ts';
import { type Override, readOverrides } from './overrides.ts';
import { type TextPosition, TomlLocations } from './toml-locations.ts';

export interface ConfigSources {
  /** Path of the TOML file. */
  readonly file: string;
  /** The environment, such as `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What was given with `--set`, each `KEY=VALUE`. */
  readonly set: readonly string[];
}

export interface LoadedConfig {
  /** With every path absolute. */
  readonly options: FabricNodeOptions;
  readonly settings: NodeSettings;
  readonly warnings: readonly ConfigProblem[];
  /** Values of the file that the environment or `--set` overrides. */
  readonly masked: readonly MaskedValue[];
  /** As it was given. */
  readonly file: string;
}

/**
 * The configuration of a node: the file, the environment above it, `--set` above both. Relative paths begin at the
 * directory of the file. The files it names are not looked at.
 *
 * Throws `config_invalid` with every problem and its place, in the order of the file. Of a file that is not TOML only
 * the first mistake can be told.
 */
export async function loadConfig({ file, env, set }: ConfigSources): Promise<LoadedConfig> {
  const document = await readDocument(file);
  const { overrides, problems } = readOverrides(env, set);
  if ('problem' in document) throw configInvalid(file, [document.problem, ...problems]);
  return interpret(file, document, env, overrides, problems);
}

/** One problem in one line: place, key, what is wrong, what to do. */
export function formatConfigProblem({ place, key, problem, remedy }: ConfigProblem): string {
  const sentence = remedy === '' ? problem : `${problem} ${remedy}`;
  return key === '' ? `${place}: ${sentence}` : `${place}: ${key}: ${sentence}`;
}

type Document = { readonly source: string; readonly root: Readonly<Record<string, unknown>> };

async function readDocument(file: string): Promise<Document | { readonly problem: ConfigProblem }> {
  let source: string;
  try {
    source = await readFile(file, 'utf8');
  } catch (error) {
    return { problem: { key: '', place: file, problem: `The file cannot be read: ${messageOf(error)}.`, remedy: '' } };
  }
  try {
    return { source, root: parse(source) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    const problem = `This is not TOML: ${first.replace('Invalid TOML document: ', '')}.`;
    return { problem: { key: '', place: `${file}:${error.line}:${error.column}`, problem, remedy: '' } };
  }
}

interface PlacedProblem extends ConfigProblem {
  readonly position: TextPosition | undefined;
}

function interpret(
  file: string,
  { source, root }: Document,
  env: ConfigSources['env'],
  overrides: readonly Override[],
  overrideProblems: readonly ConfigProblem[],
): LoadedConfig {
  const tree = overlay(root, overrides);
  const locations = new TomlLocations(source);
  const unreadable: KeyPath[] = [];
  const problems: PlacedProblem[] = overrideProblems.map(problem => ({ ...problem, position: undefined }));

  const place = (path: KeyPath, problem: string, remedy: string): PlacedProblem => {
    const override = tree.placeOf(path) ?? placeOfEndpointSocket(path, tree.root, env);
    const position = override === undefined ? locations.find(path) : undefined;
    const where = position === undefined ? override : `${file}:${position.line}:${position.column}`;
    return { key: keyText(path), place: where ?? file, problem, remedy, position };
  };
  const placeOption = ({ path, problem, remedy, others }: OptionProblem): PlacedProblem => {
    const elsewhere = others.map(other => place(keyPathOf(other), '', '').place).join(', ');
    const whole = elsewhere === '' ? problem : `${problem} See ${elsewhere}.`;
    return place(keyPathOf(path), inWordsOfTheFile(whole), inWordsOfTheFile(remedy));
  };

  const read = CONFIG_SCHEMA.read(tree.root, [], {
    baseDir: dirname(resolve(file)),
    knownKeys: CONFIG_KEYS.map(({ key }) => key),
    report: (path, problem, remedy) => {
      unreadable.push(path);
      problems.push(place(path, problem, remedy));
    },
  });
  if (read === undefined) throw configInvalid(file, sorted(problems));
  const options = withEndpointSocket(read, env);

  const resolved = resolveNodeOptions(options);
  if ('problems' in resolved) {
    // What could not be read is missing now; that it is missing need not be said as well.
    const meant = resolved.problems.filter(({ path }) => !unreadable.some(other => overlap(keyPathOf(path), other)));
    problems.push(...meant.map(placeOption));
  }
  if ('problems' in resolved || problems.length > 0) throw configInvalid(file, sorted(problems));

  const { settings, warnings } = resolved;
  return { options, settings, warnings: sorted(warnings.map(placeOption)), masked: tree.masked, file };
}

/** In the order of the file; what does not stand in the file comes last, as it was found. */
function sorted(problems: readonly PlacedProblem[]): ConfigProblem[] {
  const rank = ({ position }: PlacedProblem): readonly [number, number] =>
    position === undefined ? [Number.MAX_SAFE_INTEGER, 0] : [position.line, position.column];
  return problems
    .toSorted((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1])
    .map(({ position: _, ...problem }) => problem);
}

/** True where one is the other or a part of it. */
function overlap(one: KeyPath, other: KeyPath): boolean {
  const shared = Math.min(one.length, other.length);
  return one.slice(0, shared).every((part, depth) => part === other[depth]);
}

function configInvalid(file: string, problems: readonly ConfigProblem[]): SelvedgeError<'config_invalid'> {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.map(problem => `\n  ${formatConfigProblem(problem)}`);
  return new SelvedgeError('config_invalid', `${file} has ${count}:${lines.join('')}`, { problems });
}
