import { withoutGrpcWords } from '../rpc/status.ts';
import { type SvidStreamEnd, statusName } from '../rpc/workload-api.ts';
import { printable } from '../telemetry/logger.ts';

/** Why the Workload API gives no answers. */
export interface SvidOutage {
  /**
   * `away`: the agent could not be reached or went away, which says nothing about who we are. `refused`: it was reached
   * and gives us no credentials. `unrecoverable`: it was reached and will not understand us the next time either.
   */
  readonly kind: 'away' | 'refused' | 'unrecoverable';
  readonly problem: string;
}

/** What the end of a stream means (SPIFFE Workload Endpoint 6 and appendix A). */
export function outageOf(end: SvidStreamEnd): SvidOutage {
  const name = statusName(end);
  const said = end.details === '' ? name : `${name}: ${printable(withoutGrpcWords(end.details))}`;
  switch (name) {
    case 'OK':
      return { kind: 'away', problem: 'the agent ended the stream' };
    case 'UNAVAILABLE':
    case 'CANCELLED':
    case 'ABORTED':
    case 'UNKNOWN':
    case 'DEADLINE_EXCEEDED':
      return { kind: 'away', problem: `the agent is away (${said})` };
    case 'PERMISSION_DENIED':
      return { kind: 'refused', problem: `the agent has no identity registered for this process (${said})` };
    case 'INVALID_ARGUMENT':
    case 'UNIMPLEMENTED':
      return { kind: 'unrecoverable', problem: `the agent does not take the request (${said})` };
    default:
      return { kind: 'refused', problem: `the answer of the agent cannot be taken (${said})` };
  }
}
