import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../dev-pki/authority.ts';
import { splitPem, toPem } from '../identity/pem.ts';
import { FileContent } from './credential-bytes.ts';
import { splitBundle } from './split-bundle.ts';

const split = (text: string) => splitBundle(new FileContent('node.bundle.pem', 0o600, Buffer.from(text)));
const textOf = (content: FileContent | undefined) => Buffer.from(content?.bytes ?? []).toString();

async function makeParts() {
  const { issue, anchorsPem } = await createAuthority({ intermediate: true });
  const { certPem, keyPem } = await issue({ commonName: 'node-1' });
  const [leaf = '', intermediate = ''] = splitPem(certPem).map(({ label, der }) => toPem(label, der));
  return { leaf, intermediate, key: keyPem, root: anchorsPem };
}

test('chain and key are found in every order: the certificate of the key first, then its issuers', async () => {
  const { leaf, intermediate, key, root } = await makeParts();
  const orders = [
    [leaf, intermediate, root, key],
    [key, leaf, intermediate, root],
    [root, intermediate, key, leaf],
    [intermediate, root, leaf, key],
  ];
  for (const order of orders) {
    const found = split(`a comment\n${order.join('\n')}`);
    assert.ok(typeof found !== 'string');
    assert.equal(textOf(found.cert), leaf + intermediate + root);
    assert.equal(splitPem(textOf(found.key)).length, 1);
    assert.deepEqual(splitPem(textOf(found.key))[0], splitPem(key)[0]);
    assert.deepEqual([found.cert.file, found.key.file, found.key.mode], ['node.bundle.pem', 'node.bundle.pem', 0o600]);
  }
});

test('other blocks are passed over', async () => {
  const { leaf, key } = await makeParts();
  const found = split(
    toPem('DH PARAMETERS', Buffer.from('prime')) + key + toPem('EC PARAMETERS', Buffer.from('p')) + leaf,
  );
  assert.ok(typeof found !== 'string');
  assert.equal(textOf(found.cert), leaf);
});

test('the order stays where no certificate fits the key, which is judged later', async () => {
  const [one, other] = [await makeParts(), await makeParts()];
  const found = split(one.intermediate + one.leaf + other.key);
  assert.ok(typeof found !== 'string');
  assert.equal(textOf(found.cert), one.intermediate + one.leaf);
});

test('each way a bundle can be none is told apart, without a byte of the key', async () => {
  const { leaf, key } = await makeParts();
  const secret = key.split('\n')[1] ?? '';
  const cases: [string, RegExp][] = [
    [leaf, /^holds no private key in PEM form/],
    [key, /^holds no certificate in PEM form/],
    ['nothing', /^holds no private key in PEM form/],
    [key + leaf + key, /^holds 2 private keys/],
    [leaf + key.slice(0, -30), /PEM text cannot be read: line \d+/],
  ];
  for (const [text, expected] of cases) {
    const problem = split(text);
    assert.ok(typeof problem === 'string');
    assert.match(problem, expected);
    assert.ok(!problem.includes(secret));
  }
});
