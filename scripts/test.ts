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
/** Their files wait much and are begun first: the others fill the gaps that they leave. */
const WAITING = ['cluster', 'integration', 'contract'].map(folder => join('test', folder));
/** Most files of a folder that share a process, as to start one takes longer than most of them; fewer where they are long. */
const MOST_IN_A_PROCESS = { short: 60, waiting: 4 };

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

/** Files to start, one for each process; those that share one are imported by it. */
function processesFor(tests: readonly string[]): string[] {
  const waiting = tests.filter(file => isBelow(file, WAITING));
  const alone = tests.filter(file => isBelow(file, SEPARATE));
  const short = tests.filter(file => !waiting.includes(file) && !alone.includes(file));
  return [...sharedBy(waiting, MOST_IN_A_PROCESS.waiting), ...alone, ...sharedBy(short, MOST_IN_A_PROCESS.short)];
}

/** Files that import the tests of one folder each, no more than `most`. */
function sharedBy(tests: readonly string[], most: number): string[] {
  return [...new Set(tests.map(file => dirname(file)))].flatMap(folder => {
    const members = tests.filter(file => dirname(file) === folder);
    const shares = Math.ceil(members.length / most);
    return Array.from({ length: shares }, (_, share) => {
      const suite = join(suites, `${folder.replaceAll(sep, '-')}-${share + 1}.test.mts`);
      const imported = members.filter((_, index) => index % shares === share).map(file => pathToFileURL(resolve(file)));
      writeFileSync(suite, imported.map(({ href }) => `import ${JSON.stringify(href)};\n`).join(''));
      return suite;
    });
  });
}
