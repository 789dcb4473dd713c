import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { initCertStore } from '../../src/dev-pki/cert-store.ts';
import { PROJECT } from './tracked-files.ts';

const DOCUMENTS = ['README.md', 'docs/messages.md'];
const NAMES = ['fabric-node', 'credentials-only', 'messages'];
/** Only compiled: functions for a program that has nodes. */
const COMPILED = ['messages-api'];

interface Example {
  /** Undefined where nothing says what the block is called. */
  readonly name: string | undefined;
  readonly code: string;
  /** The lines that the document says it prints. */
  readonly prints: readonly string[];
}

const BLOCK =
  /(?:<!-- example: (?<name>[\w-]+) -->\n)?```(?:ts|typescript)\n(?<code>[\s\S]*?)\n```\n(?:\nIt prints\n\n(?<prints>(?: {4}.*\n)+))?/g;

const texts = DOCUMENTS.map(path => readFileSync(join(PROJECT, path), 'utf8'));
const examples: readonly Example[] = texts
  .flatMap(text => [...text.matchAll(BLOCK)])
  .map(({ groups }) => ({
    name: groups?.name,
    code: groups?.code ?? '',
    prints: (groups?.prints ?? '').split('\n').flatMap(line => (line === '' ? [] : [line.slice(4)])),
  }));

/** Inside the project, so that packages resolve as they do for a user; ignored by git. */
const PARENT = join(PROJECT, '.selvedge-dev');
let directory = '';

const run = promisify(execFile);

before(async () => {
  mkdirSync(PARENT, { recursive: true });
  directory = mkdtempSync(join(PARENT, 'readme-'));
  const tsconfig = {
    extends: '../../tsconfig.json',
    compilerOptions: { paths: { selvedge: ['../../src/index.ts'] } },
    include: ['*.ts'],
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(tsconfig));
  for (const { name, code } of examples) if (name !== undefined) writeFileSync(join(directory, `${name}.ts`), code);
  // What the commands above the example in the README make.
  const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
  for (const nodeName of ['node-1', 'node-2']) await store.issueNode({ nodeName, hosts: [], localhost: true });
});

after(() => rmSync(directory, { recursive: true, force: true }));

test('every block of TypeScript in README.md and docs/messages.md is an example that is tested here', () => {
  assert.deepEqual(examples.map(({ name }) => name).sort(), [...NAMES, ...COMPILED].sort());
});

test('the examples compile under the strict settings of the project', async () => {
  const packageFile = createRequire(import.meta.url).resolve('typescript/package.json');
  const tsc = join(dirname(packageFile), 'bin', 'tsc');
  await assert.doesNotReject(
    run(process.execPath, [tsc, '--noEmit', '-p', directory]).catch(({ stdout }) => {
      throw new Error(String(stdout));
    }),
  );
});

for (const name of NAMES) {
  test(`the example ${name} runs, prints what the document says, and ends by itself`, async () => {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', `${name}.ts`], {
      cwd: directory,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(directory, 'tsconfig.json') },
      timeout: 60_000,
    });
    // What begins with a brace is a line of the log.
    const printed = stdout.split('\n').filter(line => line !== '' && !line.startsWith('{'));
    assert.ok(printed.length > 0);
    assert.deepEqual(printed, examples.find(example => example.name === name)?.prints);
  });
}
