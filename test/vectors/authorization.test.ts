import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { matchPrincipal, parsePrincipal } from '../../src/authorization/principal.ts';
import { textPattern } from '../../src/authorization/text-pattern.ts';
import type { Caller } from '../../src/rpc/caller.ts';
import { tlsCaller } from '../kit/policies.ts';
import { findVectors } from './chain-vectors.ts';

const file = findVectors('a43-and-matchers.json');
const skip = file === undefined ? 'the folder of test vectors is not here' : false;

interface Case {
  readonly id: string;
  readonly group: string;
  readonly source: string;
  readonly expect: 'accept' | 'reject';
  readonly input: {
    readonly principal?: string;
    readonly identity?: string;
    readonly kind?: string;
    readonly pattern?: string;
    readonly ignore_case?: boolean;
    readonly value?: string;
    readonly cert?: { readonly uris?: string[]; readonly dns?: string[]; readonly cn?: string } | null;
    readonly policy?: { readonly contains?: string; readonly exact?: readonly string[] };
  };
}

const casesOf = (group: string): readonly Case[] => {
  const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(file ?? '', 'utf8'));
  return cases.filter(each => each.group === group);
};

test('a principal of a policy matches exactly where gRFC A43 has it match', { skip }, () => {
  const cases = casesOf('a43_principal');
  assert.ok(cases.length >= 12);
  for (const { id, input, expect } of cases) {
    const { principal = '', identity = '' } = input;
    // As gRPC has it, nobody's name is the empty one.
    const caller = tlsCaller(identity === '' ? undefined : certificateOf(identity));
    assert.equal(matches(principal, caller), expect === 'accept', id);
  }
});

test('who a certificate is follows the order of gRPC, and never falls through', { skip }, t => {
  const cases = casesOf('cert_authorize').filter(({ source }) => source === 'grpc-go-rbac');
  assert.ok(cases.length >= 10);
  for (const { id, input, expect } of cases) {
    const { cert, policy } = input;
    assert.ok(cert !== undefined && policy !== undefined, id);
    const caller = tlsCaller(cert === null ? undefined : namesOf(cert));
    // A43 knows no `contains`: the text of these cases is a whole name, and for a subject its end.
    const principals = policy.exact ?? [policy.contains ?? '', `*${policy.contains}`];
    const isMatch = principals.some(principal => matches(principal, caller));
    assert.equal(isMatch, expect === 'accept', id);
  }
  t.diagnostic(`${cases.length} cases; those of grpc-go-san are about server names, which policies do not look at`);
});

test('texts are compared as the matchers of gRPC compare them', { skip }, t => {
  const all = casesOf('string_matcher');
  const cases = all.filter(
    ({ input }) => input.ignore_case === false && /^(exact|prefix|suffix)$/.test(input.kind ?? ''),
  );
  assert.ok(cases.length >= 6);
  for (const { id, input, expect } of cases) {
    const { kind, pattern = '', value = '' } = input;
    const written = kind === 'prefix' ? `${pattern}*` : kind === 'suffix' ? `*${pattern}` : pattern;
    assert.equal(textPattern(written).matches(value), expect === 'accept', id);
  }
  t.diagnostic(`${all.length - cases.length} of ${all.length} are of kinds that A43 does not have`);
});

function matches(principal: string, caller: Caller): boolean {
  const parsed = parsePrincipal(principal);
  assert.ok('kind' in parsed, principal);
  return matchPrincipal(parsed, caller, 'allow');
}

/** The vectors give the identity alone. As a DNS name it is compared as it stands. */
function certificateOf(identity: string): Parameters<typeof tlsCaller>[0] {
  return { dnsNames: [identity] };
}

function namesOf({
  uris = [],
  dns = [],
  cn = '',
}: NonNullable<Case['input']['cert']>): Parameters<typeof tlsCaller>[0] {
  const [uri] = uris;
  return {
    uris,
    dnsNames: dns,
    subject: cn === '' ? '' : `CN=${cn}`,
    spiffeId: uris.length === 1 && uri?.startsWith('spiffe://') === true ? uri : undefined,
  };
}
