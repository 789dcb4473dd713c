import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/rolling-upgrade.ts', import.meta.url));

for (const way of ['edit', 'restart']) {
  test(`a rolling upgrade by ${way}, plain to strict and back under load, fails no call`, async () => {
    const { code, output } = await run(['--import', 'tsx', SCRIPT, '--by', way]);
    assert.equal(code, 0, output);
    assert.match(output, /calls: 0 failed/);
    assert.match(output, /polls by an admin client: 0 failed/);
    const rows = output.split('\n').filter(line => /^ {2}all /.test(line));
    assert.equal(rows.length, 5, output);
    // Calls did run, and all that ran in strict ran over mutual TLS.
    assert.match(rows[2] ?? '', /all strict +\d{3,} +0 +\d+ +[1-6] +0/);
    assert.match(rows[4] ?? '', /all plain again +\d{3,} +0 +\d+ +0 +[1-6]/);
  });
}

function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });
}
