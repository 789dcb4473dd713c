import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { REFUSAL_REASONS } from '../errors/refusal-reason.ts';
import { ERROR_SUMMARIES, SelvedgeError } from '../errors/selvedge-error.ts';
import { REASON_METADATA, refusalReasonOf, STATUS_OF_CODE, statusOf, withoutGrpcWords } from './status.ts';

test('every error code has a status, and none is OK, UNKNOWN or INTERNAL', () => {
  assert.deepEqual(Object.keys(STATUS_OF_CODE).toSorted(), Object.keys(ERROR_SUMMARIES).toSorted());
  const { OK, UNKNOWN, INTERNAL } = grpc.status;
  for (const [code, status] of Object.entries(STATUS_OF_CODE)) {
    assert.equal(typeof grpc.status[status], 'string', code);
    assert.ok(![OK, UNKNOWN, INTERNAL].includes(status), code);
  }
});

test('an error of ours tells its message with the status of its code', () => {
  const { code, details, metadata } = statusOf(new SelvedgeError('member_unknown', 'no node-9', { node: 'node-9' }));
  assert.equal(code, grpc.status.NOT_FOUND);
  assert.equal(details, 'no node-9');
  assert.deepEqual(metadata.get(REASON_METADATA), []);
});

test('what is not ours becomes INTERNAL and its text stays here', () => {
  for (const error of [new Error('/etc/secret'), new TypeError('/etc/secret'), '/etc/secret', undefined]) {
    const status = statusOf(error);
    assert.equal(status.code, grpc.status.INTERNAL);
    assert.doesNotMatch(JSON.stringify(status), /secret/);
  }
});

test('every refusal carries its reason to the other side and is read back there', () => {
  for (const reason of REFUSAL_REASONS) {
    const status = statusOf(new SelvedgeError('refused', reason, { reason, by: 'us', detail: '' }));
    assert.equal(status.code, grpc.status.FAILED_PRECONDITION);
    assert.equal(refusalReasonOf(status), reason);
  }
});

test('a reason that is not of our list is not believed', () => {
  const metadata = new grpc.Metadata();
  assert.equal(refusalReasonOf({ metadata }), undefined);
  metadata.set(REASON_METADATA, 'because');
  assert.equal(refusalReasonOf({ metadata }), undefined);
});

test('of a connection that could not be made only the cause is told, whatever kind of error it was', () => {
  const inGrpcWords = (error: Error) => `No connection established. Last error: ${error}. Resolution note: `;
  const refused = new SelvedgeError('refused', 'unknown_ca: self-signed', {
    reason: 'unknown_ca',
    by: 'us',
    detail: '',
  });
  assert.equal(withoutGrpcWords(inGrpcWords(refused)), 'unknown_ca: self-signed');
  assert.equal(withoutGrpcWords(inGrpcWords(new Error('connect ENOENT /run/x.sock'))), 'connect ENOENT /run/x.sock');
  assert.equal(withoutGrpcWords('SelvedgeError says nothing'), 'SelvedgeError says nothing');
});
