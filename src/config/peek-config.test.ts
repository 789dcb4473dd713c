import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { peekConfig } from './peek-config.ts';

const NOTHING = {
  adminSocket: undefined,
  mode: undefined,
  credentials: undefined,
  membersFile: undefined,
  policyFile: undefined,
  shadowPolicyFile: undefined,
  tokenFile: undefined,
  jwksFile: undefined,
};

test('the files that are named are found in a configuration with mistakes, and none in a file that is not TOML', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-peek-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'node.toml');
  await writeFile(file, 'data-dir = "data"\n[networking.tls]\nmode = "mdoe"\ncert-file = "c.pem"\n');
  assert.deepEqual(peekConfig(file, {}), { ...NOTHING, adminSocket: join(directory, 'data', 'admin.sock') });
  const tls = 'cert-file = "c.pem"\nkey-file = "c.key"\nca-file = ["a.pem", "/b.pem"]\n';
  await writeFile(
    file,
    `data-dir = "data"\nadmin-socket = "/run/s.sock"\nnonsense = 1\n[networking.tls]\nmode = "optional"\n${tls}[membership]\nmembers-file = "m.toml"\n[authorization]\npolicy-file = "authz.json"\ntoken-file = "t"\n[authorization.jwt]\njwks-file = "j"\n`,
  );
  assert.deepEqual(peekConfig(file, {}), {
    adminSocket: '/run/s.sock',
    mode: 'optional',
    credentials: {
      kind: 'files',
      certFile: join(directory, 'c.pem'),
      keyFile: join(directory, 'c.key'),
      caFiles: [join(directory, 'a.pem'), '/b.pem'],
      crlFiles: [],
    },
    membersFile: join(directory, 'm.toml'),
    policyFile: join(directory, 'authz.json'),
    shadowPolicyFile: undefined,
    tokenFile: join(directory, 't'),
    jwksFile: join(directory, 'j'),
  });
  await writeFile(file, 'nonsense = 1\n[networking.tls]\nmode = 1\nsource = "spiffe"\n');
  assert.equal(peekConfig(file, {}).credentials, undefined);
  assert.deepEqual(peekConfig(file, { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock' }).credentials, {
    kind: 'spiffe',
    socketPath: '/run/agent.sock',
    caFiles: [],
    crlFiles: [],
  });
  await writeFile(file, 'data-dir = ');
  assert.deepEqual(peekConfig(file, {}), NOTHING);
  assert.deepEqual(peekConfig(join(directory, 'missing.toml'), {}), NOTHING);
});
