import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { documentedDependencies, documentedRooms } from './documented-tables.ts';
import { importCircles } from './import-circles.ts';
import { codeLines, countImports, PROJECT, readSourceFiles, roomOf, type SourceFile } from './source-files.ts';

const MAX_LINES = 320;
/** Where a program or a user of the library comes in. */
const ENTRIES = ['index.ts', 'cli/selvedge.ts', 'cli/selvedgectl.ts'];
/** The lowest room, which says the words that all others use. */
const FOR_ALL = 'errors';

const files = readSourceFiles();
const rooms = documentedRooms();
const dependencies = documentedDependencies();

/** `from -> to` of every import for which `isForbidden` holds. */
function importsThat(isForbidden: (from: SourceFile, to: string) => boolean): readonly string[] {
  return files.flatMap(from =>
    from.imports.flatMap(({ file }) =>
      file !== undefined && isForbidden(from, file) ? [`${from.path} -> ${file}`] : [],
    ),
  );
}

/** The files with a line of code that matches. */
function filesWith(pattern: RegExp): readonly string[] {
  return files.filter(({ text }) => codeLines(text).some(line => pattern.test(line))).map(({ path }) => path);
}

test('every import of the source is understood by these tests', () => {
  assert.ok(files.length > 100);
  const misread = files.filter(({ text, imports }) => imports.length !== countImports(text)).map(({ path }) => path);
  assert.deepEqual(misread, []);
  assert.deepEqual(
    importsThat((_from, to) => !existsSync(join(PROJECT, 'src', to))),
    [],
  );
});

test('the rooms of the source are the rooms of docs/ARCHITECTURE.md', () => {
  const inSource = [...new Set(files.map(({ room }) => room))].filter(room => room !== '');
  assert.deepEqual(rooms.map(({ name }) => name).sort(), inSource.sort());
});

test('a room imports only what docs/ARCHITECTURE.md lets it import', () => {
  const allowed = new Map(rooms.map(({ name, mayImport }) => [name, new Set([name, FOR_ALL, ...mayImport])]));
  assert.deepEqual(
    importsThat(({ room }, to) => room !== '' && allowed.get(room)?.has(roomOf(to)) !== true),
    [],
  );
});

test('the table of rooms allows nothing that nobody needs', () => {
  const used = new Set(
    files.flatMap(({ room, imports }) => imports.map(({ file = '' }) => `${room} -> ${roomOf(file)}`)),
  );
  const allowed = rooms.flatMap(({ name, mayImport }) => mayImport.map(to => `${name} -> ${to}`));
  assert.deepEqual(
    allowed.filter(line => !used.has(line)),
    [],
  );
});

test('every import points down the table of rooms', () => {
  const height = new Map(rooms.map(({ name }, index) => [name, rooms.length - index]));
  const upwards = rooms.flatMap(({ name, mayImport }) =>
    mayImport.filter(to => (height.get(to) ?? Infinity) >= (height.get(name) ?? 0)).map(to => `${name} -> ${to}`),
  );
  assert.deepEqual(upwards, []);
  assert.equal(rooms.at(-1)?.name, FOR_ALL);
});

// What follows stands whatever the table says: who widens the table does not do away with these.

test('the listener and the connector know neither each other nor the authorization', () => {
  const strangers: Readonly<Record<string, readonly string[]>> = {
    listener: ['connector', 'authorization', 'messaging', 'membership'],
    connector: ['listener', 'authorization', 'messaging', 'membership'],
  };
  assert.deepEqual(
    importsThat(({ room }, to) => strangers[room]?.includes(roomOf(to)) === true),
    [],
  );
});

test('only the command line knows the development CA', () => {
  assert.deepEqual(
    importsThat(({ room }, to) => roomOf(to) === 'dev-pki' && room !== 'cli' && room !== 'dev-pki'),
    [],
  );
});

test('only the command line knows the configuration file, and nobody knows the command line', () => {
  assert.deepEqual(
    importsThat(({ room }, to) => roomOf(to) === 'config' && room !== 'cli' && room !== 'config'),
    [],
  );
  assert.deepEqual(
    importsThat(({ room }, to) => roomOf(to) === 'cli' && room !== 'cli'),
    [],
  );
});

test('authorization knows no sockets, no certificates and no clock', () => {
  const own = files.filter(({ room }) => room === 'authorization');
  const outside = own.flatMap(({ imports }) =>
    imports.filter(({ file }) => file === undefined).map(({ specifier }) => specifier),
  );
  assert.deepEqual(outside, []);
  const clocked = filesWith(/\bDate\b|\bperformance\b|\bsetTimeout\b|\bsetInterval\b/);
  assert.deepEqual(
    clocked.filter(path => roomOf(path) === 'authorization'),
    [],
  );
});

test('only the command line reads the environment of the process', () => {
  const readers = filesWith(/\bprocess\s*(?:\.|\?\.)\s*env\b|\bprocess\[|from 'node:process'/);
  assert.deepEqual(
    readers.filter(path => roomOf(path) !== 'cli'),
    [],
  );
});

test('a library is named only where docs/dependencies.md says, and there it is', () => {
  const named = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    for (const { specifier, file } of imports) {
      if (file !== undefined || specifier.startsWith('node:')) continue;
      const name = packageOf(specifier);
      named.set(name, (named.get(name) ?? new Set()).add(path));
    }
  }
  const problems = [...named].flatMap(([name, paths]) => {
    const places = dependencies.find(dependency => dependency.name === name)?.namedIn ?? [];
    const isIn = (path: string, place: string) => (place.endsWith('/') ? path.startsWith(place) : path === place);
    return [
      ...[...paths].filter(path => !places.some(place => isIn(path, place))).map(path => `${name} is named in ${path}`),
      ...places.filter(place => ![...paths].some(path => isIn(path, place))).map(place => `${name} is not in ${place}`),
    ];
  });
  assert.deepEqual(problems, []);
  // A builtin without its prefix would pass for a library.
  assert.deepEqual(
    [...named.keys()].filter(name => builtinModules.includes(name)),
    [],
  );
});

test('docs/dependencies.md has a line for each dependency of package.json, and every one of them is used', () => {
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(PROJECT, 'package.json'), 'utf8'),
  );
  const documented = dependencies.map(({ name }) => name).sort();
  assert.deepEqual(documented, Object.keys(manifest.dependencies).sort());
  const imported = new Set(files.flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier))));
  assert.deepEqual(
    documented.filter(name => !imported.has(name)),
    [],
  );
});

test('what grpc-js does not promise is touched in one file each', () => {
  assert.deepEqual(filesWith(/_createSecureConnector/), ['connector/fabric-channel-credentials.ts']);
  assert.deepEqual(filesWith(/grpc-js\/build/), ['rpc/grpc-log.ts']);
  assert.deepEqual(filesWith(/Stream refused by server/), ['connector/unprocessed.ts']);
});

test('no file imports itself by way of others', () => {
  assert.deepEqual(importCircles(files), []);
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  const long = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
  assert.deepEqual(
    long.filter(({ lines }) => lines > MAX_LINES),
    [],
  );
});

test('every file is imported by another one or is an entry', () => {
  const imported = new Set(files.flatMap(({ imports }) => imports.map(({ file }) => file)));
  const orphans = files.map(({ path }) => path).filter(path => !imported.has(path));
  assert.deepEqual(orphans.sort(), [...ENTRIES].sort());
});

/** `@scope/name` or `name` of `@scope/name/deep`. */
function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}
