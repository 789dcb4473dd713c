import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FabricNodeOptions, TlsOptions } from '../node/node-options.ts';
import { isLive, liveChange } from './live-changes.ts';

const TLS: TlsOptions = {
  mode: 'optional',
  certFile: '/certs/node.pem',
  keyFile: '/certs/node.key',
  caFiles: ['/certs/ca.pem'],
  allowedSubjectNames: ['*'],
};

const NODE: FabricNodeOptions = {
  clusterName: 'dev',
  nodeName: 'node-1',
  dataDir: '/data',
  networking: { bindAddress: '0.0.0.0:5122', tls: TLS },
};

function withTls(tls: Partial<TlsOptions>): FabricNodeOptions {
  return { ...NODE, networking: { ...NODE.networking, tls: { ...TLS, ...tls } } };
}

test('TLS, authorization and the log level change while running', () => {
  const change = liveChange(NODE, {
    ...withTls({ mode: 'strict', profiles: [{ destinations: ['a'], caFiles: ['/b'] }], client: { certFile: '/c' } }),
    authorization: { adminSubjectNames: ['cn:admin'] },
    logLevel: 'debug',
  });
  assert.deepEqual(change, {
    changed: [
      'log-level',
      'networking.tls.mode',
      'networking.tls.client.cert-file',
      'networking.tls.profile',
      'authorization.admin-subject-names',
    ],
    restartRequired: [],
  });
});

test('anything else needs a restart, and is named', () => {
  const next: FabricNodeOptions = {
    ...withTls({ mode: 'strict' }),
    nodeName: 'node-2',
    labels: { role: 'edge' },
    observability: { bindAddress: '127.0.0.1:9464' },
  };
  assert.deepEqual(liveChange(NODE, next).restartRequired, ['node-name', 'labels', 'observability.bind-address']);
  assert.deepEqual(liveChange(next, NODE).restartRequired, liveChange(NODE, next).restartRequired);
});

test('the same configuration is no change, and neither is a default that is written out', () => {
  const same: FabricNodeOptions = {
    ...NODE,
    logLevel: 'info',
    labels: {},
    networking: { ...NODE.networking, drainTimeoutMs: 30_000, tls: { ...TLS, requireClientAuth: true, crlFiles: [] } },
    authorization: {},
  };
  assert.deepEqual(liveChange(NODE, same), { changed: [], restartRequired: [] });
});

test('a profile that moves up or down the list is a change', () => {
  const a = { destinations: ['a'], caFiles: ['/a'] };
  const b = { destinations: ['b'], caFiles: ['/b'] };
  const change = liveChange(withTls({ profiles: [a, b] }), withTls({ profiles: [b, a] }));
  assert.deepEqual(change.changed, ['networking.tls.profile']);
});

test('a whole table that is live speaks for its keys, and for nothing that is merely called like it', () => {
  assert.equal(isLive('networking.tls.client.key-file'), true);
  assert.equal(isLive('networking.tls-like'), false);
  assert.equal(isLive('networking.bind-address'), false);
});
