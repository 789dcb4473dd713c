// Packs the package as npm would publish it and checks it as a user would meet it: what is inside, what publint says,
// and that the public API and both binaries load from the packed files alone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const work = mkdtempSync(join(tmpdir(), 'selvedge-package-'));
try {
  const packed: unknown = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], { encoding: 'utf8' }),
  );
  const { filename, files } = firstOf(packed);
  const unwanted = files.filter(file => /\.test\.|^test\/|^scripts\/|\.key$|\.pem$/.test(file));
  const missing = [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/selvedge.js',
    'dist/cli/selvedgectl.js',
    'README.md',
    'LICENSE',
    'proto/selvedge/control/v1/control.proto',
    'proto/spiffe/workload/workload.proto',
  ].filter(file => !files.includes(file));
  if (unwanted.length > 0 || missing.length > 0)
    fail(`unwanted in the package: ${unwanted.join(', ') || 'nothing'}; missing: ${missing.join(', ') || 'nothing'}`);

  const { messages, pkg } = await publint({ pkgDir: '.' });
  for (const message of messages) console.log(formatMessage(message, pkg));
  if (messages.some(message => message.type === 'error')) fail('publint found errors');

  execFileSync('tar', ['-xzf', join(work, filename), '-C', work]);
  const unpacked = join(work, 'package');
  symlinkSync(resolve('node_modules'), join(unpacked, 'node_modules'));
  writeFileSync(
    join(unpacked, 'try.mjs'),
    "import { FabricNode } from 'selvedge'; if (typeof FabricNode.start !== 'function') process.exit(1);\n",
  );
  execFileSync(process.execPath, ['try.mjs'], { cwd: unpacked, stdio: 'inherit' });
  for (const binary of ['selvedge', 'selvedgectl']) {
    execFileSync(process.execPath, [`dist/cli/${binary}.js`, '--version'], { cwd: unpacked, stdio: 'inherit' });
  }
  console.log(`package: ${files.length} files, fine`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function firstOf(packed: unknown): { filename: string; files: string[] } {
  // npm 11 prints a list, npm 12 an object by package name.
  const entry: unknown = Array.isArray(packed) ? packed[0] : Object.values(packed as object)[0];
  const { filename, files } = entry as { filename: string; files: { path: string }[] };
  return { filename, files: files.map(file => file.path) };
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}
