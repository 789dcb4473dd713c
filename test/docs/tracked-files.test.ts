import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PROJECT, trackedFiles } from './tracked-files.ts';

/** What only the machine of whoever wrote it has. */
const OF_ONE_MACHINE: readonly (readonly [RegExp, string])[] = [
  [/https?:\/\/registry\./, 'a package registry'],
  [/https?:\/\/[^\s"']*\/(?:npm|artifactory|nexus)\//, 'a mirror of a package registry'],
  [/(?<![\w.])\/(?:work|root|Users)\//, 'a path of one machine'],
  [/(?<![\w.])\/home\/[a-z]+\//, 'a home directory'],
];
const SECRET = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\n[A-Za-z0-9+/=]/;

function filesOrSkip(t: TestContext): readonly string[] {
  const files = trackedFiles();
  if (files === undefined) t.skip('not a working copy of git');
  return (files ?? []).filter(file => existsSync(join(PROJECT, file)));
}

test('no committed file names a registry or a path of one machine', t => {
  const found = filesOrSkip(t).flatMap(file =>
    readFileSync(join(PROJECT, file), 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        OF_ONE_MACHINE.filter(([pattern]) => pattern.test(line)).map(([, what]) => `${file}:${index + 1}: ${what}`),
      ),
  );
  assert.deepEqual(found, []);
});

test('no private key is committed', t => {
  const found = filesOrSkip(t).filter(
    file => file.endsWith('.key') || SECRET.test(readFileSync(join(PROJECT, file), 'utf8')),
  );
  assert.deepEqual(found, []);
});

test('the lock file says what is installed, not from where', () => {
  assert.doesNotMatch(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8'), /"resolved"/);
});
