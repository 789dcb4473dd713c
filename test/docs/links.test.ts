import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { PROJECT } from './tracked-files.ts';

const documents = [
  ...readdirSync(PROJECT).filter(name => name.endsWith('.md')),
  ...readdirSync(join(PROJECT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
];

interface Link {
  readonly from: string;
  readonly target: string;
}

function linksOf(document: string): readonly Link[] {
  const text = readFileSync(join(PROJECT, document), 'utf8');
  const prose = text
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/^ {4,}.*$/gm, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ from: document, target }));
}

/** As a reader of the rendered page knows it: lower case, punctuation gone, dashes for spaces. */
function anchorsOf(path: string): ReadonlySet<string> {
  const headings = readFileSync(path, 'utf8').matchAll(/^#{1,6} (.+)$/gm);
  return new Set([...headings].map(([, heading = '']) => anchorOf(heading)));
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

const links = documents.flatMap(linksOf).filter(({ target }) => !/^[a-z]+:/.test(target));

test('the documents link to each other', () => {
  assert.ok(documents.length > 10);
  assert.ok(links.length > 10);
});

for (const document of documents) {
  test(`every relative link of ${relative('.', document)} leads somewhere`, () => {
    const broken = links
      .filter(({ from }) => from === document)
      .filter(({ from, target }) => {
        const [file = '', anchor] = target.split('#');
        const path = file === '' ? join(PROJECT, from) : join(PROJECT, dirname(from), file);
        return !existsSync(path) || (anchor !== undefined && !anchorsOf(path).has(anchor));
      });
    assert.deepEqual(broken, []);
  });
}

test('every decision is listed in the index of decisions, once and under its number', () => {
  const index = readFileSync(join(PROJECT, 'docs/adr/README.md'), 'utf8');
  const decisions = readdirSync(join(PROJECT, 'docs/adr')).filter(name => name !== 'README.md');
  for (const decision of decisions) {
    assert.match(decision, /^[0-9]{4}-[a-z0-9-]+\.md$/);
    assert.equal(index.split(`(${decision})`).length, 2, `${decision} stands once in the index`);
  }
  const numbers = decisions.map(name => name.slice(0, 4)).sort();
  assert.deepEqual(
    numbers,
    numbers.map((_, at) => String(at + 1).padStart(4, '0')),
  );
});
