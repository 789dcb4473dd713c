import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/rolling-upgrade.ts', import.meta.url));
/** Calls did run, and all that ran in strict ran over mutual TLS. */
const IN_STRICT = /all strict +\d{3,} +0 +\d+ +[1-6] +0/;

test('a rolling upgrade by editing files, plain to strict and back under load, fails no call', async () => {
  const rows = await upgraded('--by', 'edit');
  assert.equal(rows.length, 5, rows.join('\n'));
  assert.match(rows[2] ?? '', IN_STRICT);
  assert.match(rows[4] ?? '', /all plain again +\d{3,} +0 +\d+ +0 +[1-6]/);
});

// Every restart is dear; the way back is that of `npm run rolling-upgrade`.
test('a rolling upgrade by restart, plain to strict under load, fails no call', async () => {
  const rows = await upgraded('--by', 'restart', '--up');
  assert.equal(rows.length, 3, rows.join('\n'));
  assert.match(rows[2] ?? '', IN_STRICT);
});

/** The lines of the table, one for each mode; asserts that nothing failed. */
async function upgraded(...args: readonly string[]): Promise<readonly string[]> {
  const { code, output } = await run(['--import', 'tsx', SCRIPT, ...args]);
  assert.equal(code, 0, output);
  assert.match(output, /calls: 0 failed/);
  assert.match(output, /polls by an admin client: 0 failed/);
  return output.split('\n').filter(line => /^ {2}all /.test(line));
}

function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });
}
