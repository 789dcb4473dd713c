import * as grpc from '@grpc/grpc-js';
import { messageOf } from '../errors/selvedge-error.ts';
import { withoutGrpcWords } from './status.ts';

/**
 * Why etcd did not do what it was asked. `away`: it could not be asked, or could not answer now. `denied`: the user that
 * our certificate makes us may not. `wrong`: it answers what cannot be understood, or refuses for another reason.
 */
export interface EtcdFailure {
  readonly kind: 'away' | 'denied' | 'wrong';
  /** In one line; may hold texts of etcd. */
  readonly problem: string;
}

const { DEADLINE_EXCEEDED, PERMISSION_DENIED, UNAUTHENTICATED } = grpc.status;
/** INTERNAL and UNKNOWN are what grpc-js makes of a connection that broke in the middle. */
const AWAY = ['UNAVAILABLE', 'CANCELLED', 'ABORTED', 'UNKNOWN', 'INTERNAL'];

/** What etcd says where its users (RBAC) do not know us; in any status but PERMISSION_DENIED. */
const UNKNOWN_USER = /user name (is empty|not found)|invalid auth token/;

/** @param error what a call of {@link EtcdClient} rejected with. */
export function etcdFailureOf(error: unknown): EtcdFailure {
  if (!isStatus(error)) return { kind: 'wrong', problem: messageOf(error) };
  return failureOfStatus(error.code, error.details);
}

/** As {@link etcdFailureOf}, of the status with which a call ended. */
export function failureOfStatus(code: grpc.status, details: string): EtcdFailure {
  const said = withoutGrpcWords(details);
  if (code === PERMISSION_DENIED || code === UNAUTHENTICATED || UNKNOWN_USER.test(said))
    return { kind: 'denied', problem: `etcd refuses: ${said}` };
  if (code === DEADLINE_EXCEEDED) return { kind: 'away', problem: 'etcd did not answer in time' };
  const name = grpc.status[code] ?? String(code);
  if (AWAY.includes(name)) return { kind: 'away', problem: `etcd is away: ${said === '' ? name : said}` };
  return { kind: 'wrong', problem: `etcd answers ${name}: ${said}` };
}

function isStatus(error: unknown): error is { readonly code: grpc.status; readonly details: string } {
  return error instanceof Error && 'code' in error && 'details' in error && typeof error.code === 'number';
}
