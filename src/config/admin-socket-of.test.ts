import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminSocketOf } from './admin-socket-of.ts';

test('the admin socket is found in a file with mistakes elsewhere, and in none that is not TOML', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-socket-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'node.toml');
  await writeFile(file, 'data-dir = "data"\n[networking.tls]\nmode = "mdoe"\n');
  assert.equal(adminSocketOf(file), join(directory, 'data', 'admin.sock'));
  await writeFile(file, 'data-dir = "data"\nadmin-socket = "/run/s.sock"\nnonsense = 1\n');
  assert.equal(adminSocketOf(file), '/run/s.sock');
  await writeFile(file, 'data-dir = ');
  assert.equal(adminSocketOf(file), undefined);
  assert.equal(adminSocketOf(join(directory, 'missing.toml')), undefined);
});
