import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { callerWith } from '../../test/kit/call-as.ts';
import { bindCaller, callerOf } from './caller.ts';

test('a call has the caller that was bound to it', () => {
  const metadata = new Metadata();
  const caller = callerWith('peer');
  bindCaller(metadata, caller);
  assert.equal(callerOf({ metadata }), caller);
});

test('a call that did not come through a Selvedge listener has no caller, and that is a TypeError', () => {
  assert.throws(() => callerOf({ metadata: new Metadata() }), TypeError);
});

test('a caller is bound to one call: a copy of its metadata, or the same entries, give nobody', () => {
  const metadata = new Metadata();
  metadata.set('x-request', '1');
  bindCaller(metadata, callerWith('admin'));
  assert.throws(() => callerOf({ metadata: metadata.clone() }), TypeError);
});
