import * as grpc from '@grpc/grpc-js';
import type { SelvedgeError } from '../errors/selvedge-error.ts';
import { statusOf } from '../rpc/status.ts';
import type { FacadeCall } from './facade-call.ts';

/** Fails a call to `name` because one side turns the other away, with the reason. */
export function failRefused(call: FacadeCall, name: string, error: SelvedgeError): void {
  const { details, metadata } = statusOf(error);
  call.fail(grpc.status.UNAVAILABLE, `${name} is not connected: ${details}`, metadata);
}

/** Fails a call to `name` because the channel was closed. */
export function failClosed(call: FacadeCall, name: string): void {
  call.fail(grpc.status.UNAVAILABLE, `the connection to ${name} is closed`);
}
