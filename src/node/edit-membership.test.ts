import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { MembershipChange } from '../membership/membership-editor.ts';
import { parseAddition } from '../membership/parse-change.ts';
import { createLogger } from '../telemetry/logger.ts';
import { membershipEditing } from './edit-membership.ts';

const METHOD = '/selvedge.control.v1.ClusterControl/AddNode';
const ADD = parseAddition({ name: 'node-7', addresses: ['https://node-7.example'], zone: 'eu-1a', weight: 0 });
const DRAIN: MembershipChange = { kind: 'drain', name: 'node-7' };

test('a change is made in the name of the caller, logged, and recorded with what was given', async () => {
  const { edit, changes, edits, log } = setUp();
  await edit(ADD, callerWith('local'), METHOD);
  assert.deepEqual(changes, [[ADD, 'role:local']]);
  assert.deepEqual(edits, [
    [
      METHOD,
      { change: 'add', member: 'node-7', addresses: ['https://node-7.example:5122'], zone: 'eu-1a', weight: 0 },
      '',
    ],
  ]);
  const [line] = log;
  assert.deepEqual(
    [line?.event, line?.node, line?.kind, line?.by],
    ['membership.edited', 'node-7', 'add', 'role:local'],
  );
});

test('a change that fails is recorded with the code of why, and not logged as made', async () => {
  const error = new SelvedgeError('member_unknown', 'no node-7', { node: 'node-7' });
  const { edit, edits, log } = setUp(error);
  await assert.rejects(edit(DRAIN, callerWith('admin'), METHOD), error);
  assert.deepEqual(edits, [[METHOD, { change: 'drain', member: 'node-7' }, 'member_unknown']]);
  assert.deepEqual(log, []);
  const broken = setUp(new Error('a defect'));
  await assert.rejects(broken.edit(DRAIN, callerWith('admin'), METHOD));
  assert.equal(broken.edits[0]?.[2], 'internal');
});

function setUp(error?: Error) {
  const changes: unknown[] = [];
  const edits: [string, object, string][] = [];
  const log: Record<string, unknown>[] = [];
  const edit = membershipEditing({
    editor: () => ({
      change: async (...args) => {
        if (error !== undefined) throw error;
        changes.push(args);
      },
    }),
    audit: { edited: (_caller, ...args) => edits.push(args) },
    logger: createLogger({ write: line => log.push(JSON.parse(line)) }),
  });
  return { edit, changes, edits, log };
}
