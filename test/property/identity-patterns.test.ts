import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SelvedgeError } from '../../src/errors/selvedge-error.ts';
import { matchIdentity } from '../../src/identity/match-identity.ts';
import type { PeerIdentity } from '../../src/identity/peer-identity.ts';
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts';
import { type PatternKind, parsePattern } from '../../src/identity/subject-name-pattern.ts';

/** The contract's words, written down as naively as they read: no regular expressions, no shared code. */
function matchesRun(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob[0] !== '*') return glob[0] === text[0] && text !== '' && matchesRun(glob.slice(1), text.slice(1));
  for (let taken = 0; taken <= text.length; taken++) if (matchesRun(glob.slice(1), text.slice(taken))) return true;
  return false;
}

const matchesPart = (glob: string, part: string): boolean => (glob === '*' ? part !== '' : matchesRun(glob, part));

function matchesLabels(glob: readonly string[], labels: readonly string[]): boolean {
  if (glob[0] !== '**')
    return glob.length === labels.length && glob.every((part, i) => matchesPart(part, labels[i] ?? ''));
  for (let taken = 1; taken <= labels.length; taken++)
    if (matchesLabels(glob.slice(1), labels.slice(taken))) return true;
  return false;
}

function matchesSegments(glob: readonly string[], segments: readonly string[]): boolean {
  if (glob.at(-1) !== '**')
    return glob.length === segments.length && glob.every((part, i) => matchesPart(part, segments[i] ?? ''));
  return segments.length >= glob.length && matchesSegments(glob.slice(0, -1), segments.slice(0, glob.length - 1));
}

const RUNS = 500;
// few letters, so that globs and values meet often
const part = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 });
const partGlob = fc
  .string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 })
  .filter(text => !text.includes('**'));
const parts = fc.array(part, { minLength: 1, maxLength: 4 });
const labelGlob = fc
  .tuple(fc.boolean(), fc.array(partGlob, { minLength: 1, maxLength: 3 }))
  .map(([more, labels]) => (more ? ['**', ...labels] : labels));
const segmentGlob = fc
  .tuple(fc.array(partGlob, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([segments, more]) => (more ? [...segments, '**'] : segments));

function identity(names: Partial<PeerIdentity>): PeerIdentity {
  return {
    subject: '',
    issuer: '',
    commonName: undefined,
    commonNames: [],
    dnsNames: [],
    uris: [],
    ipAddresses: [],
    spiffeId: undefined,
    fingerprint256: '',
    serialNumber: '',
    notBefore: new Date(0),
    notAfter: new Date(0),
    ...names,
  };
}

function named(kind: PatternKind, value: string): PeerIdentity {
  switch (kind) {
    case 'cn':
      return identity({ commonName: value });
    case 'dns':
      return identity({ dnsNames: [value] });
    case 'uri':
      return identity({ uris: [value], spiffeId: parseSpiffeId(value) && value });
    case 'ip':
      return identity({ ipAddresses: [value] });
  }
}

const matches = (pattern: string, who: PeerIdentity): boolean =>
  matchIdentity([parsePattern(pattern)], who) !== undefined;

test('label globs match as the contract reads', () => {
  fc.assert(
    fc.property(labelGlob, parts, fc.constantFrom<'cn' | 'dns'>('cn', 'dns'), (glob, labels, kind) => {
      const who = named(kind, labels.join('.'));
      assert.equal(matches(`${kind}:${glob.join('.')}`, who), matchesLabels(glob, labels));
    }),
    { numRuns: RUNS },
  );
});

test('segment globs match as the contract reads', () => {
  fc.assert(
    fc.property(segmentGlob, parts, fc.constantFrom('spiffe', 'https'), (glob, segments, scheme) => {
      const who = named('uri', `${scheme}://td/${segments.join('/')}`);
      assert.equal(matches(`${scheme}://td/${glob.join('/')}`, who), matchesSegments(glob, segments));
    }),
    { numRuns: RUNS },
  );
});

test('DNS matching ignores case and a trailing dot; a CN does not', () => {
  fc.assert(
    fc.property(labelGlob, parts, fc.boolean(), fc.boolean(), (glob, labels, upper, dot) => {
      const change = (text: string): string => `${upper ? text.toUpperCase() : text}${dot ? '.' : ''}`;
      const name = labels.join('.');
      const pattern = glob.join('.');
      const expected = matchesLabels(glob, labels);
      assert.equal(matches(`dns:${pattern}`, named('dns', change(name))), expected);
      assert.equal(matches(`dns:${change(pattern)}`, named('dns', name)), expected);
      assert.equal(matches(`cn:${name}`, named('cn', change(name))), change(name) === name);
    }),
    { numRuns: RUNS },
  );
});

test('a name of one kind never matches a pattern of another', () => {
  const kinds = ['cn', 'dns', 'uri', 'ip'] as const;
  const value = fc.oneof(
    parts.map(labels => labels.join('.')),
    parts.map(segments => `spiffe://td/${segments.join('/')}`),
    fc.ipV4(),
    fc.ipV6(),
  );
  fc.assert(
    fc.property(fc.constantFrom(...kinds), value, fc.constantFrom(...kinds), (patternKind, text, nameKind) => {
      const pattern = parseOrUndefined(`${patternKind}:${text}`);
      if (pattern === undefined) return;
      const match = matchIdentity([pattern], named(nameKind, text));
      assert.equal(match?.kind, nameKind === patternKind ? patternKind : undefined);
    }),
    { numRuns: RUNS },
  );
});

test('any text is a pattern or refused as one; whatever it is, matching it never fails', () => {
  const unit = fc.constantFrom(
    ...'ab1*.:/!?[]{}()\\#@%-_ ~+|,',
    '\u0000',
    '\n',
    'ä',
    '::',
    '://',
    '**',
    'cn:',
    'uri:',
    'ip:',
    'dns:',
  );
  const text = fc.oneof(fc.string({ unit, maxLength: 12 }), fc.string({ maxLength: 12 }));
  fc.assert(
    fc.property(text, text, (patternText, value) => {
      const pattern = parseOrUndefined(patternText);
      if (pattern === undefined) return;
      assert.equal(pattern.text, patternText);
      for (const kind of ['cn', 'dns', 'uri', 'ip'] as const) {
        const match = matchIdentity([pattern], named(kind, value));
        assert.ok(match === undefined || match.kind === kind || match.kind === 'any');
      }
    }),
    { numRuns: 5 * RUNS },
  );
});

function parseOrUndefined(text: string): ReturnType<typeof parsePattern> | undefined {
  try {
    return parsePattern(text);
  } catch (error) {
    assert.ok(error instanceof SelvedgeError && error.code === 'pattern_invalid', String(error));
    return undefined;
  }
}
