import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { openFabricCredentials } from './fabric-credentials.ts';
import type { FabricNodeOptions } from './node-options.ts';
import { resolveNodeOptions } from './resolve-options.ts';

const TLS = {
  certFile: '/certs/node.pem',
  keyFile: '/certs/node.key',
  caFiles: ['/certs/ca.pem'],
  allowedSubjectNames: ['dns:*.fabric.example'],
};

/** What a program without types passes: the problems, each with its path and remedy. */
function problemsOf(options: object): readonly string[] {
  const node = { clusterName: 'dev', nodeName: 'node-1', dataDir: '/data', ...options };
  const resolved = resolveNodeOptions(node as FabricNodeOptions);
  if ('settings' in resolved) return [];
  return resolved.problems.map(({ path, problem, remedy }) => `${path.join('.')}: ${problem} ${remedy}`.trim());
}

const tls = (options: object) => problemsOf({ networking: { tls: { ...TLS, ...options } } });

test('options that exist, of their kind, are no problem, and neither are those left undefined', () => {
  assert.deepEqual(tls({ canary: false, denied: undefined, client: { certFile: '/c.pem', keyFile: '/c.key' } }), []);
  assert.deepEqual(problemsOf({ labels: { zone: 'a' }, authorization: { adminSubjectNames: ['cn:me'] } }), []);
});

const SLIPS: readonly (readonly [object, string])[] = [
  [
    { denyCertificates: ['serial:0a'] },
    'denyCertificates: There is no such option. Did you mean `networking.tls.deniedCertificates`?',
  ],
  [
    { alowedSubjectNames: [] },
    'alowedSubjectNames: There is no such option. Did you mean `networking.tls.allowedSubjectNames`?',
  ],
  [{ clusterName: 'x' }, 'clusterName: There is no such option. Remove it: nothing would obey it.'],
  [{ toString: 'x' }, 'toString: There is no such option. Remove it: nothing would obey it.'],
  [
    { adminSubjectNames: [] },
    'adminSubjectNames: There is no such option. Did you mean `authorization.adminSubjectNames`?',
  ],
  [{ canary: 'no' }, 'canary: This is a text where true or false is expected.'],
  [{ withdrawalGraceMs: '5s' }, 'withdrawalGraceMs: This is a text where a number is expected.'],
  [{ deniedCertificates: 'serial:0a' }, 'deniedCertificates: This is a text where a list of texts is expected.'],
  [{ deniedCertificates: ['serial:0a', 10] }, 'deniedCertificates.1: This is a number where a text is expected.'],
  [{ nodeIdentity: null }, 'nodeIdentity: This is null where a text is expected.'],
  [{ client: [] }, 'client: This is a list where an object with options is expected.'],
  [
    { client: { keyfile: '/k' } },
    'client.keyfile: There is no such option. Did you mean `networking.tls.client.keyFile`?',
  ],
  [{ profiles: {} }, 'profiles: This is an object where a list of objects with options is expected.'],
  [{ profiles: [undefined] }, 'profiles.0: This is undefined where an object with options is expected.'],
  [
    { profiles: [{ destinations: ['https://a:1'], crlFile: '/crl' }] },
    'profiles.0.crlFile: There is no such option. Did you mean `networking.tls.profiles.crlFiles`?',
  ],
];
for (const [options, expected] of SLIPS)
  test(`an option that nothing would obey is a problem: ${JSON.stringify(options)}`, () => {
    assert.ok(tls(options).includes(`networking.tls.${expected}`), tls(options).join('\n'));
  });

test('all slips are said at once, at every depth, and with what is wrong otherwise', () => {
  const options = { labels: { zone: 1 }, tls: TLS, networking: { tls: { canary: 0 }, bindAdress: '' }, logger: {} };
  assert.deepEqual(problemsOf(options), [
    'labels.zone: This is a number where a text is expected.',
    'tls: There is no such option. Did you mean `networking.tls`?',
    'networking.tls.canary: This is a number where true or false is expected.',
    'networking.bindAdress: There is no such option. Did you mean `networking.bindAddress`?',
    'logger: There is no such option. Remove it: nothing would obey it.',
  ]);
  const unknownAndEmpty = problemsOf({ nodename: 'x', clusterName: '' });
  assert.deepEqual(
    unknownAndEmpty.map(line => line.slice(0, line.indexOf(':'))),
    ['nodename', 'clusterName'],
  );
});

test('credentials for a bare server refuse the options of a node that they do not obey', async () => {
  const options = { ...TLS, nodeIdentity: 'cn:{node-name}', canary: false, allowedSubjectName: ['*'], keyFile: 5 };
  await assert.rejects(openFabricCredentials(options as never), error => {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    assert.deepEqual(
      error.facts.problems.map(({ key, problem, remedy }) => [key, `${problem} ${remedy}`.trim()]),
      [
        ['keyFile', 'This is a number where a text is expected.'],
        ['nodeIdentity', 'There is no such option. Remove it: nothing would obey it.'],
        ['canary', 'There is no such option. Remove it: nothing would obey it.'],
        ['allowedSubjectName', 'There is no such option. Did you mean `allowedSubjectNames`?'],
      ],
    );
    return true;
  });
});
