import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CredentialOptions } from './credential-options.ts';
import { OptionProblems } from './option-problems.ts';
import { type ResolvedCredentials, resolveCredentials } from './resolve-credentials.ts';

const FILES = { certFile: '/c.pem', keyFile: '/c.key', caFiles: ['/ca.pem'] };

function resolved(own: CredentialOptions, from?: ResolvedCredentials) {
  const found = new OptionProblems();
  const result = resolveCredentials(['tls'], own, from, found);
  const problems = found.problems.map(({ path, problem, remedy }) => `${path.join('.')}: ${problem} ${remedy}`.trim());
  return { ...result, problems };
}

test('each source becomes what it says, with every path absolute', () => {
  const cases: [CredentialOptions, object][] = [
    [FILES, { kind: 'files', ...FILES, crlFiles: [] }],
    [
      { source: 'bundle', bundleFile: '/b.pem', caFiles: ['/ca.pem'], crlFiles: ['/crl'] },
      { kind: 'bundle', bundleFile: '/b.pem', caFiles: ['/ca.pem'], crlFiles: ['/crl'] },
    ],
    [
      { source: 'directory', directory: '/d/' },
      { kind: 'directory', directory: '/d', caFiles: [], crlFiles: [] },
    ],
    [
      { source: 'directory', directory: '/d', caFiles: ['/ca.pem'] },
      { kind: 'directory', directory: '/d', caFiles: ['/ca.pem'], crlFiles: [] },
    ],
    ...['unix:///run/a.sock', 'unix:/run/a.sock', '/run/a.sock'].map(
      (workloadApiSocket): [CredentialOptions, object] => [
        { source: 'spiffe', workloadApiSocket, caFiles: ['/ca.pem'] },
        { kind: 'spiffe', socketPath: '/run/a.sock', caFiles: ['/ca.pem'], crlFiles: [] },
      ],
    ),
  ];
  for (const [options, spec] of cases)
    assert.deepEqual([resolved(options).spec, resolved(options).problems], [spec, []]);
});

test('auto looks at the socket that is named first, then at the well-known places, with the same CRLs', () => {
  const { spec, problems } = resolved({ source: 'auto', workloadApiSocket: 'unix:///a.sock', crlFiles: ['/crl'] });
  assert.deepEqual(problems, []);
  assert.ok(spec.kind === 'auto');
  assert.deepEqual(spec.places[0], { kind: 'spiffe', socketPath: '/a.sock', caFiles: [], crlFiles: ['/crl'] });
  assert.ok(spec.places.every(({ crlFiles }) => crlFiles[0] === '/crl'));
  const unnamed = resolved({ source: 'auto' }).spec;
  assert.ok(unnamed.kind === 'auto');
  assert.deepEqual(
    unnamed.places.map(place => (place.kind === 'spiffe' ? place.socketPath : place.directory)),
    [
      '/spiffe-workload-api/spire-agent.sock',
      '/run/spire/agent-sockets/spire-agent.sock',
      '/run/spire/sockets/agent.sock',
      '/tmp/spire-agent/public/api.sock',
      '/run/spire/svids',
      '/var/run/secrets/spiffe.io',
    ],
  );
});

test('a key that the source does not use names both, and who would use it', () => {
  assert.deepEqual(resolved({ ...FILES, source: 'spiffe', workloadApiSocket: '/a.sock' }).problems, [
    'tls.certFile: The source "spiffe" of `tls.source` does not use it. Remove it, or say source = "files".',
    'tls.keyFile: The source "spiffe" of `tls.source` does not use it. Remove it, or say source = "files".',
  ]);
  const unused = (options: CredentialOptions) => resolved(options).problems.map(line => line.split(':')[0]);
  assert.deepEqual(unused({ ...FILES, directory: '/d', bundleFile: '/b', workloadApiSocket: '/s' }), [
    'tls.bundleFile',
    'tls.directory',
    'tls.workloadApiSocket',
  ]);
  assert.deepEqual(unused({ source: 'auto', caFiles: ['/ca.pem'] }), ['tls.caFiles']);
});

test('a key that the source needs and nobody gives is a problem', () => {
  const missing = (options: CredentialOptions) => resolved(options).problems.map(line => line.split(':')[0]);
  assert.deepEqual(missing({}), ['tls.certFile', 'tls.keyFile', 'tls.caFiles']);
  assert.deepEqual(missing({ source: 'bundle' }), ['tls.bundleFile', 'tls.caFiles']);
  assert.deepEqual(missing({ source: 'directory' }), ['tls.directory']);
  assert.deepEqual(missing({ source: 'spiffe' }), ['tls.workloadApiSocket']);
  assert.deepEqual(missing({ source: 'auto' }), []);
  assert.deepEqual(missing({ source: 'directory', directory: ' ' }), ['tls.directory']);
});

test('a socket is one of unix, and as long as the system takes', () => {
  const problems = (workloadApiSocket: string) => resolved({ source: 'spiffe', workloadApiSocket }).problems;
  assert.match(problems('tcp://127.0.0.1:8000')[0] ?? '', /^tls\.workloadApiSocket: This is not a unix socket/);
  assert.match(problems(`/${'x'.repeat(107)}`)[0] ?? '', /108 bytes long; the system takes at most 107/);
  assert.deepEqual(problems(`/${'x'.repeat(106)}`), []);
});

test('the same source inherits, another one starts afresh', () => {
  const server = resolved({ ...FILES, crlFiles: ['/crl'] });
  assert.deepEqual(resolved({}, server).spec, server.spec);
  const same = resolved({ source: 'files', certFile: '/other.pem' }, server);
  assert.deepEqual([same.spec, same.problems], [{ ...server.spec, certFile: '/other.pem' }, []]);
  const fresh = resolved({ source: 'bundle', bundleFile: '/b.pem' }, server);
  assert.deepEqual(fresh.problems, [
    'tls.caFiles: There is no trust anchor. Say which file holds the certificates of your CA.',
  ]);
  const directory = resolved({ source: 'directory', directory: '/d' }, server);
  assert.deepEqual(directory.spec, { kind: 'directory', directory: '/d', caFiles: [], crlFiles: [] });
  // The next table below inherits the source that is new.
  assert.deepEqual(resolved({ crlFiles: ['/x'] }, directory).spec, { ...directory.spec, crlFiles: ['/x'] });
  assert.match(resolved({ certFile: '/c.pem' }, directory).problems[0] ?? '', /^tls\.certFile: The source "directory"/);
});

test('what is inherited with a mistake is said once', () => {
  const server = resolved({ source: 'bundle' });
  assert.equal(server.problems.length, 2);
  assert.deepEqual(resolved({}, server).problems, []);
});
