import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import { parseNodeName } from './node-name.ts';
import { quoted } from './quoted.ts';
import { parsePattern } from './subject-name-pattern.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const line = pem.split('\n')[1] ?? '';

test('a private key, or a line of one, is never repeated: not in a message and not in facts', () => {
  for (const text of [pem, line, `uri:${line}`, `https://${line}:1`]) {
    assert.ok(!quoted(text).includes(line));
    for (const parse of [parseNodeName, parseAddress, parsePattern]) {
      let said = '';
      try {
        parse(text);
      } catch (error) {
        assert.ok(error instanceof Error);
        said = `${error.message} ${JSON.stringify(error)}`;
      }
      assert.ok(!said.includes(line.slice(0, 40)), `${parse.name} of ${JSON.stringify(text)}: ${said}`);
    }
  }
});

test('an ordinary text is quoted, escaped and cut', () => {
  assert.equal(quoted('node_1'), '"node_1"');
  assert.equal(quoted('a\nb'), '"a\\nb"');
  assert.equal(quoted('x'.repeat(100)), `"${'x'.repeat(80)}…"`);
});
