import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FabricNodeOptions, NetworkingOptions, TlsOptions } from './node-options.ts';
import { type NodeSettings, type OptionProblem, resolveNodeOptions } from './resolve-options.ts';

const NODE: FabricNodeOptions = { clusterName: 'dev', nodeName: 'node-1', dataDir: '/data' };

const TLS: TlsOptions = {
  certFile: '/certs/node.pem',
  keyFile: '/certs/node.key',
  caFiles: ['/certs/ca.pem'],
  allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
};

function accepted(options: FabricNodeOptions): { settings: NodeSettings; warnings: readonly OptionProblem[] } {
  const resolved = resolveNodeOptions(options);
  if ('problems' in resolved) assert.fail(JSON.stringify(resolved.problems));
  return resolved;
}

function refused(options: FabricNodeOptions): readonly OptionProblem[] {
  const resolved = resolveNodeOptions(options);
  if ('settings' in resolved) assert.fail('it was accepted');
  return resolved.problems;
}

function pathsOf(problems: readonly OptionProblem[]): readonly string[] {
  return problems.map(({ path }) => path.join('.'));
}

function networking(options: NetworkingOptions): FabricNodeOptions {
  return { ...NODE, networking: options };
}

function tls(options: Partial<TlsOptions>, others: NetworkingOptions = {}): FabricNodeOptions {
  return networking({ ...others, tls: { ...TLS, ...options } });
}

/** What a program without types may pass. */
function untyped(options: object): FabricNodeOptions {
  return options as FabricNodeOptions;
}

test('defaults are those the documentation gives', () => {
  const { settings, warnings } = accepted(NODE);
  assert.deepEqual(warnings, []);
  assert.deepEqual(settings, {
    clusterName: 'dev',
    nodeName: 'node-1',
    dataDir: '/data',
    adminSocket: '/data/admin.sock',
    labels: {},
    zone: undefined,
    weight: 1,
    logLevel: 'info',
    mode: 'plain',
    networking: {
      bindAddress: { kind: 'tcp', scheme: undefined, host: '0.0.0.0', hostKind: 'ipv4', port: 5122 },
      advertised: undefined,
      drainTimeoutMs: 30_000,
      maxConcurrentCalls: 1_000,
      maxConnections: 10_000,
      maxConnectionsWithoutCertificate: 1_000,
      maxUnfinishedHandshakes: 1_000,
      maxMessageBytes: 4_194_304,
      messageQueueBytes: 16_777_216,
      messageWindowBytes: 1_048_576,
      maxStreamedCallBytes: 262_144,
      heartbeatIntervalMs: 5_000,
      heartbeatTimeoutMs: 15_000,
      watchedMembers: 16,
      idleTimeoutMs: 300_000,
      reconnectMaxDelayMs: 5_000,
      connectTimeoutMs: 10_000,
      holdTimeoutMs: 30_000,
      refusedHoldTimeoutMs: 3_000,
    },
    tls: undefined,
    membership: undefined,
    authorization: {
      bearer: undefined,
      adminSubjectNames: [],
      observerSubjectNames: [],
      policyFile: undefined,
      shadowPolicyFile: undefined,
    },
    audit: { file: undefined, maxDenialsPerSecond: 200, maxDenialsPerSecondPerSource: 20 },
    observability: undefined,
  });
});

test('defaults of TLS are strict', () => {
  const { settings } = accepted(tls({}));
  const { allowedSubjectNames, ...rest } = settings.tls ?? assert.fail('no TLS');
  assert.deepEqual(
    allowedSubjectNames.map(pattern => pattern.text),
    ['uri:spiffe://dev/fabric/*'],
  );
  const files = {
    kind: 'files',
    certFile: '/certs/node.pem',
    keyFile: '/certs/node.key',
    caFiles: ['/certs/ca.pem'],
    crlFiles: [],
  };
  assert.equal(settings.mode, 'strict');
  assert.deepEqual(rest, {
    mode: 'strict',
    requireClientAuth: true,
    serverSubjectNames: [],
    nodeIdentity: undefined,
    minVersion: 'TLSv1.3',
    deniedCertificates: [],
    handshakeTimeoutMs: 5_000,
    withdrawalGraceMs: 5_000,
    sniffTimeoutMs: 5_000,
    canary: true,
    refuseDowngrade: false,
    plaintextDeadline: undefined,
    refreshIntervalMs: 3_600_000,
    serverCredentials: files,
    clientCredentials: files,
    profiles: [],
  });
});

test('all mistakes are reported at once', () => {
  const problems = refused({
    clusterName: '',
    nodeName: 'Node 1',
    dataDir: '',
    labels: { '': 'x' },
    networking: { bindAddress: 'https://a', maxConnections: 0, tls: { allowedSubjectNames: ['foo:x'] } },
    authorization: { adminSubjectNames: ['cn:a', '['] },
    observability: { bindAddress: '127.0.0.1' },
  });
  assert.deepEqual(pathsOf(problems).toSorted(), [
    'authorization.adminSubjectNames.1',
    'clusterName',
    'dataDir',
    'labels.',
    'networking.bindAddress',
    'networking.maxConnections',
    'networking.tls.allowedSubjectNames.0',
    'networking.tls.caFiles',
    'networking.tls.certFile',
    'networking.tls.keyFile',
    'nodeName',
    'observability.bindAddress',
  ]);
});

test('what a program without types leaves out or misspells is a problem, never a default', () => {
  assert.deepEqual(pathsOf(refused(untyped({}))), ['nodeName', 'clusterName', 'dataDir']);
  assert.deepEqual(pathsOf(refused(untyped({ ...NODE, logLevel: 'loud', membership: {} }))), [
    'logLevel',
    'membership.source',
  ]);
  assert.deepEqual(
    pathsOf(refused(untyped({ ...NODE, networking: { tls: { ...TLS, mode: 'stict', minVersion: '1.1' } } }))),
    ['networking.tls.mode', 'networking.tls.minVersion'],
  );
  assert.deepEqual(pathsOf(refused(untyped({ ...NODE, membership: { source: 'dns', membersFile: 'x' } }))), [
    'membership.membersFile',
    'membership.dns.names',
  ]);
});

test('relative paths become absolute', () => {
  const { settings } = accepted({ ...NODE, dataDir: 'data', adminSocket: 'a.sock' });
  assert.equal(settings.dataDir, `${process.cwd()}/data`);
  assert.equal(settings.adminSocket, `${process.cwd()}/a.sock`);
});

test('an admin socket over 107 bytes is a problem of whoever made it so long', () => {
  const long = `/${'é'.repeat(50)}`;
  assert.deepEqual(pathsOf(refused({ ...NODE, dataDir: long })), ['dataDir']);
  assert.deepEqual(pathsOf(refused({ ...NODE, adminSocket: `${long}/12345678` })), ['adminSocket']);
  assert.equal(Buffer.byteLength(accepted({ ...NODE, adminSocket: `${long}/12345` }).settings.adminSocket), 107);
});

test('durations are longer than nothing and countable, counts are whole and positive', () => {
  assert.deepEqual(
    pathsOf(
      refused(
        networking({
          drainTimeoutMs: 0,
          holdTimeoutMs: -1,
          connectTimeoutMs: Number.NaN,
          refusedHoldTimeoutMs: 2_147_483_648,
          maxConnections: 1.5,
          maxUnfinishedHandshakes: 0,
          maxMessageBytes: 100,
        }),
      ),
    ).toSorted(),
    [
      'networking.connectTimeoutMs',
      'networking.drainTimeoutMs',
      'networking.holdTimeoutMs',
      'networking.maxConnections',
      'networking.maxMessageBytes',
      'networking.maxUnfinishedHandshakes',
      'networking.refusedHoldTimeoutMs',
    ],
  );
  assert.deepEqual(pathsOf(refused(tls({ sniffTimeoutMs: 0, handshakeTimeoutMs: 0, refreshIntervalMs: 0 }))), [
    'networking.tls.handshakeTimeoutMs',
    'networking.tls.sniffTimeoutMs',
    'networking.tls.refreshIntervalMs',
  ]);
});

test('a heartbeat timeout is longer than the interval', () => {
  assert.deepEqual(pathsOf(refused(networking({ heartbeatTimeoutMs: 5_000 }))), ['networking.heartbeatTimeoutMs']);
  assert.deepEqual(pathsOf(refused(networking({ heartbeatIntervalMs: 20_000 }))), ['networking.heartbeatIntervalMs']);
});

test('an idle timeout is at least a second, a node watches at least one member', () => {
  accepted(networking({ idleTimeoutMs: 1_000, watchedMembers: 1 }));
  assert.deepEqual(pathsOf(refused(networking({ idleTimeoutMs: 999 }))), ['networking.idleTimeoutMs']);
  assert.deepEqual(pathsOf(refused(networking({ idleTimeoutMs: 0 }))), ['networking.idleTimeoutMs']);
  assert.deepEqual(pathsOf(refused(networking({ watchedMembers: 0 }))), ['networking.watchedMembers']);
});

test('a queue and a window of messages are no smaller than makes sense, and a window can be counted', () => {
  accepted(networking({ messageQueueBytes: 4_096, messageWindowBytes: 4_096, maxStreamedCallBytes: 0 }));
  accepted(networking({ messageWindowBytes: 1_073_741_824 }));
  assert.deepEqual(pathsOf(refused(networking({ messageQueueBytes: 4_095 }))), ['networking.messageQueueBytes']);
  assert.deepEqual(pathsOf(refused(networking({ messageWindowBytes: 4_095 }))), ['networking.messageWindowBytes']);
  assert.deepEqual(pathsOf(refused(networking({ messageWindowBytes: 1_073_741_825 }))), [
    'networking.messageWindowBytes',
  ]);
  assert.deepEqual(pathsOf(refused(networking({ messageWindowBytes: 2 ** 31 }))), ['networking.messageWindowBytes']);
  assert.deepEqual(pathsOf(refused(networking({ maxStreamedCallBytes: -1 }))), ['networking.maxStreamedCallBytes']);
});

test('a unix bind is plaintext: fine in plain and optional, refused in strict', () => {
  const bound = { bindAddress: 'unix:/run/fabric.sock' };
  accepted(networking(bound));
  accepted(tls({ mode: 'plain' }, bound));
  accepted(tls({ mode: 'optional' }, bound));
  assert.deepEqual(pathsOf(refused(tls({ mode: 'strict' }, bound))), ['networking.bindAddress']);
});

test('https is not advertised in plain, and not http alone in strict', () => {
  const advertise = (mode: 'plain' | 'optional' | 'strict', ...advertisedAddresses: string[]) =>
    tls({ mode }, { advertisedAddresses });
  assert.deepEqual(pathsOf(refused(advertise('plain', 'http://a', 'https://a'))), ['networking.advertisedAddresses.1']);
  assert.deepEqual(pathsOf(refused(advertise('strict', 'http://a', 'unix:/s'))), ['networking.advertisedAddresses']);
  for (const mode of ['plain', 'optional', 'strict'] as const)
    assert.deepEqual(accepted(advertise(mode, 'a')).warnings, []);
  assert.deepEqual(accepted(advertise('optional', 'https://a', 'http://a')).warnings, []);
});

test('optional without http, and http beside https in strict, are warnings', () => {
  const optional = accepted(tls({ mode: 'optional' }, { advertisedAddresses: ['https://a'] }));
  assert.deepEqual(pathsOf(optional.warnings), ['networking.advertisedAddresses']);
  const strict = accepted(tls({}, { advertisedAddresses: ['https://a', 'http://a'] }));
  assert.deepEqual(pathsOf(strict.warnings), ['networking.advertisedAddresses']);
});

test('wildcards are never advertised, and neither is nothing', () => {
  assert.deepEqual(pathsOf(refused(networking({ advertisedAddresses: ['a', '0.0.0.0:1', '[::]'] }))), [
    'networking.advertisedAddresses.1',
    'networking.advertisedAddresses.2',
  ]);
  assert.deepEqual(pathsOf(refused(networking({ advertisedAddresses: [] }))), ['networking.advertisedAddresses']);
  assert.deepEqual(pathsOf(refused(networking({ bindAddress: 'unix:/s', advertisedAddresses: ['a:0'] }))), [
    'networking.advertisedAddresses.0',
  ]);
});

test('an empty list of allowed names is refused, and the remedy names ["*"]', () => {
  for (const mode of ['plain', 'optional', 'strict'] as const) {
    const [problem, ...others] = refused(tls({ mode, allowedSubjectNames: [] }));
    assert.deepEqual(others, []);
    assert.equal(problem?.path.join('.'), 'networking.tls.allowedSubjectNames');
    assert.ok(problem?.remedy.includes('["*"]'));
  }
  accepted(tls({ allowedSubjectNames: ['*'] }));
  accepted(tls({ allowedSubjectNames: [], requireClientAuth: false }));
});

test('"*" stands alone in its list', () => {
  const paths = pathsOf(refused(tls({ allowedSubjectNames: ['cn:a', '*'], serverSubjectNames: ['*', 'cn:a'] })));
  assert.deepEqual(paths, ['networking.tls.allowedSubjectNames.1', 'networking.tls.serverSubjectNames.0']);
});

test('plain keeps credentials, so that the mode can change; without any it needs none', () => {
  assert.deepEqual(accepted(tls({ mode: 'plain' })).settings.tls?.serverCredentials, {
    kind: 'files',
    certFile: '/certs/node.pem',
    keyFile: '/certs/node.key',
    caFiles: ['/certs/ca.pem'],
    crlFiles: [],
  });
  assert.equal(accepted(networking({ tls: { mode: 'plain' } })).settings.tls, undefined);
  assert.deepEqual(pathsOf(refused(networking({ tls: { mode: 'plain', certFile: '/a' } }))), [
    'networking.tls.keyFile',
    'networking.tls.caFiles',
    'networking.tls.allowedSubjectNames',
  ]);
  assert.deepEqual(pathsOf(refused(networking({ tls: { mode: 'plain', sniffTimeoutMs: 0 } }))), [
    'networking.tls.sniffTimeoutMs',
  ]);
});

test('a node identity is one name, of a kind that is written out, with the name of the node in it', () => {
  for (const nodeIdentity of [
    'uri:spiffe://dev/{node-name}',
    'spiffe://dev/{node-name}',
    'dns:{node-name}.example',
    'cn:{node-name}',
  ])
    assert.equal(accepted(tls({ nodeIdentity })).settings.tls?.nodeIdentity, nodeIdentity);
  for (const nodeIdentity of [
    'uri:spiffe://dev/fabric',
    'uri:spiffe://dev/*/{node-name}',
    '{node-name}.example',
    'ip:{node-name}',
    'foo:{node-name}',
    'uri:{node-name}',
    'dns:{node-name}.{zone}',
    '*',
    '',
  ])
    assert.deepEqual(pathsOf(refused(tls({ nodeIdentity }))), ['networking.tls.nodeIdentity'], nodeIdentity);
});

test('what dialling leaves out is that of the node, and what a profile leaves out is that of dialling', () => {
  const { settings } = accepted(
    tls({
      crlFiles: ['/crl'],
      client: { certFile: '/client.pem', keyFile: '/client.key' },
      profiles: [
        { destinations: ['b'], caFiles: ['/blue.pem'], serverSubjectNames: [] },
        { destinations: ['a'], crlFiles: [] },
      ],
    }),
  );
  const dialling = {
    kind: 'files',
    certFile: '/client.pem',
    keyFile: '/client.key',
    caFiles: ['/certs/ca.pem'],
    crlFiles: ['/crl'],
  };
  assert.deepEqual(settings.tls?.serverCredentials, {
    ...dialling,
    certFile: '/certs/node.pem',
    keyFile: '/certs/node.key',
  });
  assert.deepEqual(settings.tls?.clientCredentials, dialling);
  assert.deepEqual(
    settings.tls?.profiles.map(({ credentials, serverSubjectNames }) => [credentials, serverSubjectNames]),
    [
      [{ ...dialling, caFiles: ['/blue.pem'] }, []],
      [{ ...dialling, crlFiles: [] }, undefined],
    ],
  );
});

test('a profile without destinations, or with one that is none, is refused', () => {
  const profiles = [{ destinations: [] }, { destinations: ['10.0.0.0/8'] }];
  assert.deepEqual(pathsOf(refused(tls({ profiles }))), [
    'networking.tls.profiles.0.destinations',
    'networking.tls.profiles.1.destinations.0',
  ]);
});

test('empty file names and an empty list of CAs are refused wherever they stand', () => {
  const paths = pathsOf(
    refused(
      tls({ certFile: ' ', caFiles: [], client: { keyFile: '' }, profiles: [{ destinations: ['a'], caFiles: [''] }] }),
    ),
  );
  assert.deepEqual(paths.toSorted(), [
    'networking.tls.caFiles',
    'networking.tls.certFile',
    'networking.tls.client.keyFile',
    'networking.tls.profiles.0.caFiles.0',
  ]);
});

test('a key that was pasted where its file belongs is refused, and not repeated', () => {
  const problems = refused(tls({ keyFile: '-----BEGIN PRIVATE KEY-----\nAAAA\n' }));
  assert.deepEqual(pathsOf(problems), ['networking.tls.keyFile']);
  assert.doesNotMatch(JSON.stringify(problems), /PRIVATE|AAAA/);
});

test('the side listener needs a host and a port, and nothing else', () => {
  const bind = (bindAddress: string) => ({ ...NODE, observability: { bindAddress } });
  assert.equal(accepted(bind('127.0.0.1:0')).settings.observability?.bindAddress.port, 0);
  assert.equal(accepted(bind('[::1]:9464')).settings.observability?.bindAddress.host, '::1');
  for (const wrong of ['127.0.0.1', 'http://127.0.0.1:9464', 'unix:/s', '', '[::1]'])
    assert.deepEqual(pathsOf(refused(bind(wrong))), ['observability.bindAddress'], wrong);
});

test('every problem says what to do, or says it already', () => {
  const problems = refused(untyped({ networking: { tls: { nodeIdentity: 'x', profiles: [{ destinations: [] }] } } }));
  for (const { problem, remedy } of problems) {
    assert.match(problem, /\.$/);
    if (remedy !== '') assert.match(remedy, /\.$/);
  }
});
