import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TomlLocations } from './toml-locations.ts';

const DOCUMENT = `# a comment with [brackets] and "quotes"
name = "node-1" # = [x]
labels = { role = "worker", "zone.a" = 'b }' }

[networking]
bind-address = '0.0.0.0:5122'
  tls.mode = "strict"
text = """
[not.a.table]
key = "no"\\"""" 
tls.ca-file = [ # which
  "a.pem", "b ] , .pem",
  'c.pem',
]

[[networking.profile]]
destinations = ["x"]

[[networking.profile]]
nested = [[1, 2], [{ deep = true }]]
when = 1979-05-27 07:32:00
`;

function at(path: readonly (string | number)[]): string {
  const { line, column } = new TomlLocations(DOCUMENT).find(path);
  return `${line}:${column}`;
}

test('a key is found where it is written', () => {
  assert.equal(at(['name']), '2:1');
  assert.equal(at(['networking', 'bind-address']), '6:1');
  assert.equal(at(['networking', 'tls', 'mode']), '7:7');
});

test('a key of an inline table is found between its braces', () => {
  assert.equal(at(['labels', 'role']), '3:12');
  assert.equal(at(['labels', 'zone.a']), '3:29');
});

test('what looks like a table inside a text is none', () => {
  assert.equal(at(['not', 'a', 'table']), '1:1');
  assert.equal(at(['networking', 'tls', 'ca-file']), '11:5');
});

test('each element of a list has its own place', () => {
  assert.equal(at(['networking', 'tls', 'ca-file', 0]), '12:3');
  assert.equal(at(['networking', 'tls', 'ca-file', 1]), '12:12');
  assert.equal(at(['networking', 'tls', 'ca-file', 2]), '13:3');
});

test('each table of a list of tables has its own place', () => {
  assert.equal(at(['networking', 'profile', 0]), '16:1');
  assert.equal(at(['networking', 'profile', 0, 'destinations', 0]), '17:17');
  assert.equal(at(['networking', 'profile', 1]), '19:1');
  assert.equal(at(['networking', 'profile', 1, 'nested', 1, 0, 'deep']), '20:22');
  assert.equal(at(['networking', 'profile', 1, 'when']), '21:1');
});

test('what is missing is placed at the nearest thing around it', () => {
  assert.equal(at(['networking', 'nothing']), '5:1');
  assert.equal(at(['networking', 'profile', 1, 'destinations']), '19:1');
  assert.equal(at(['nothing']), '1:1');
});

test('a table that was implied first is placed at its own header', () => {
  const locations = new TomlLocations('[a.b]\nx = 1\n[a]\ny = 2\n');
  assert.deepEqual(locations.find(['a', 'z']), { line: 3, column: 1 });
});

test('lines that end in CR LF are counted once', () => {
  const locations = new TomlLocations('a = 1\r\n\r\nb = 2\r\n');
  assert.deepEqual(locations.find(['b']), { line: 3, column: 1 });
});

test('a document that is not valid comes to an end all the same', () => {
  for (const broken of ['[', '[[', 'a', 'a = [', 'a = [}', 'a = {]', 'a = "', '= 1', '[a]]]]', 'a = [}}}]', '.'])
    assert.doesNotThrow(() => new TomlLocations(broken).find(['a']), broken);
});
