import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkAudit } from './check-audit.ts';

test('the file of the audit trail must be one that could be written, and is not made by looking', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-check-audit-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'audit.jsonl');
  assert.deepEqual(await problemsOf(undefined), []);
  assert.deepEqual(await problemsOf(file), []);
  await assert.rejects(stat(file));
  assert.deepEqual(await problemsOf(directory), [`${directory} is a directory.`]);
  assert.deepEqual(await problemsOf(join(directory, 'none', 'audit.jsonl')), [
    `${join(directory, 'none')} is not a directory that is there.`,
  ]);
  await writeFile(file, '');
  assert.deepEqual(await problemsOf(join(file, 'audit.jsonl')), [`${file} is not a directory that is there.`]);
  await chmod(file, 0o400);
  if (process.getuid?.() === 0) return t.diagnostic('root may write everything');
  assert.deepEqual(await problemsOf(file), [`${file} may not be written by this user.`]);
  await rm(file);
  await chmod(directory, 0o500);
  assert.deepEqual(await problemsOf(file), [`${directory} may not be written by this user.`]);
  await chmod(directory, 0o700);
});

async function problemsOf(file: string | undefined): Promise<readonly string[]> {
  const audit = { file, maxDenialsPerSecond: 1, maxDenialsPerSecondPerSource: 1 };
  return (await checkAudit({ audit }, 'node.toml')).map(({ problem }) => problem);
}
