import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMountInfo, warningsOfMounts, whyFrozen } from './mounts.ts';

/** Of a container in which one key of a Secret is mounted with subPath, and another Secret as a whole. */
const IN_A_POD = `741 628 0:143 / / rw,relatime master:199 - overlay overlay rw,lowerdir=/l
750 741 0:146 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
812 741 0:101 /..2025_01_31_10_20_30.123456789/tls.crt /etc/node/tls.crt ro,relatime - tmpfs tmpfs rw,size=1k
813 741 0:102 / /etc/whole ro,relatime - tmpfs tmpfs rw,size=1k
814 741 0:103 /..2025_01_31_10_20_30.5/sub /etc/part ro,relatime - tmpfs tmpfs rw,size=1k
815 741 8:1 /srv/with\\040blank /data/with\\040blank rw,relatime shared:1 - ext4 /dev/sda1 rw
not a mount
`;

test('mounts are read with their blanks, and lines of another form passed over', () => {
  const mounts = parseMountInfo(IN_A_POD);
  assert.equal(mounts.length, 6);
  assert.deepEqual(mounts[0], { root: '/', mountPoint: '/' });
  assert.deepEqual(mounts.at(-1), { root: '/srv/with blank', mountPoint: '/data/with blank' });
  assert.deepEqual(parseMountInfo(''), []);
});

test('a file that is a mount point, or lies in one generation of a volume, never changes; others do', () => {
  const mounts = parseMountInfo(IN_A_POD);
  assert.match(whyFrozen('/etc/node/tls.crt', mounts) ?? '', /subPath.* mount its directory/);
  assert.match(whyFrozen('/etc/part/tls.crt', mounts) ?? '', /subPath \/etc\/part.*mount the whole volume/);
  for (const path of ['/etc/whole/..2025_01_31_10_20_30.1/tls.crt', '/etc/node/tls.key', '/etc/partly/x', '/x'])
    assert.equal(whyFrozen(path, mounts), undefined, path);
});

test('the warning names the file as it is configured, and follows its links', async t => {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'selvedge-mounts-')));
  t.after(() => rm(directory, { recursive: true }));
  const path = (name: string) => join(directory, name);
  await writeFile(path('real.pem'), 'x');
  await symlink('real.pem', path('node.pem'));
  await writeFile(path('mountinfo'), `1 2 8:1 /x ${path('real.pem')} rw - ext4 /dev/sda1 rw\n`);
  const warnings = await warningsOfMounts([path('node.pem'), path('other.pem'), path('node.pem')], path('mountinfo'));
  assert.equal(warnings.length, 1);
  assert.ok(warnings[0]?.startsWith(`${path('node.pem')}: is a mount point`));
  assert.deepEqual(await warningsOfMounts([path('node.pem')], path('no-such-table')), []);
});
