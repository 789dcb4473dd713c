// Runs the test files below the folders given (default: src and test, interop apart). Fails when it finds none, since
// `node --test` on an empty list would exit 0.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { PROGRAMS_VARIABLE } from './kit/programs.ts';

const SEPARATE = join('test', 'interop');
const wanted = process.argv.slice(2);
const roots = wanted.length > 0 ? wanted : ['src', 'test'];
const files = roots.flatMap(testFilesBelow).filter(file => wanted.length > 0 || !file.startsWith(SEPARATE + sep));

if (files.length === 0) {
  console.error(`no test files below ${roots.join(', ')}`);
  process.exit(1);
}
// What other projects bring may have to be built first.
const timeoutMs = files.some(file => file.startsWith(SEPARATE + sep)) ? 3_600_000 : 240_000;
// The programs that tests start are those that are shipped.
if (wanted.length === 0) await import('./build.ts');
const child = spawn(
  process.execPath,
  ['--import', 'tsx', '--test', `--test-timeout=${timeoutMs}`, '--test-concurrency=3', ...files],
  {
    stdio: 'inherit',
    env: wanted.length === 0 ? { ...process.env, [PROGRAMS_VARIABLE]: 'dist' } : process.env,
  },
);
child.on('exit', code => process.exit(code ?? 1));

function testFilesBelow(root: string): string[] {
  if (root.endsWith('.test.ts')) return [root];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => join(root, name))
    .sort();
}
