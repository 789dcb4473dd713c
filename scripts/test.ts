// Runs the test files below the folders given (default: src and test, without SEPARATE). Fails when it finds none, since
// `node --test` on an empty list would exit 0.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROGRAMS_VARIABLE } from './kit/programs.ts';

/** What needs more than Node.js: each has a script of its own in package.json. */
const SEPARATE = [join('test', 'interop'), join('test', 'faults')];
/** Their files share a process: to start one takes longer than most of them. */
const IN_ONE_PROCESS = ['src', join('test', 'docs'), join('test', 'property'), join('test', 'architecture')];

const wanted = process.argv.slice(2);
const roots = wanted.length > 0 ? wanted : ['src', 'test'];
const isBelow = (file: string, folders: readonly string[]) => folders.some(folder => file.startsWith(folder + sep));
const files = roots.flatMap(testFilesBelow).filter(file => wanted.length > 0 || !isBelow(file, SEPARATE));

if (files.length === 0) {
  console.error(`no test files below ${roots.join(', ')}`);
  process.exit(1);
}
// What other projects bring may have to be built first.
const timeoutMs = files.some(file => isBelow(file, SEPARATE)) ? 3_600_000 : 240_000;
// The programs that tests start are those that are shipped.
if (wanted.length === 0) await import('./build.ts');
const suites = mkdtempSync(join(tmpdir(), 'selvedge-tests-'));
const child = spawn(
  process.execPath,
  ['--import', 'tsx', '--test', `--test-timeout=${timeoutMs}`, '--test-concurrency=4', ...processesFor(files)],
  {
    stdio: 'inherit',
    env: wanted.length === 0 ? { ...process.env, [PROGRAMS_VARIABLE]: 'dist' } : process.env,
  },
);
child.on('exit', code => {
  rmSync(suites, { recursive: true });
  process.exit(code ?? 1);
});

function testFilesBelow(root: string): string[] {
  if (root.endsWith('.test.ts')) return [root];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => join(root, name))
    .sort();
}

/** Files to start, those of one folder of {@link IN_ONE_PROCESS} as one that imports them. */
function processesFor(tests: readonly string[]): string[] {
  const folders = new Map<string, string[]>();
  const alone: string[] = [];
  for (const file of tests) {
    if (isBelow(file, IN_ONE_PROCESS)) folders.set(dirname(file), [...(folders.get(dirname(file)) ?? []), file]);
    else alone.push(file);
  }
  const shared = [...folders].map(([folder, members]) => {
    const suite = join(suites, `${folder.replaceAll(sep, '-')}.test.mts`);
    writeFileSync(
      suite,
      members.map(file => `import ${JSON.stringify(pathToFileURL(resolve(file)).href)};\n`).join(''),
    );
    return suite;
  });
  // Those that wait for programs first: the others fill the gaps that they leave.
  return [...alone, ...shared];
}
