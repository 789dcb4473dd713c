import * as grpc from '@grpc/grpc-js';
import {
  type ChannelSecurity,
  FABRIC_CHANNEL_OPTIONS,
  FabricChannelCredentials,
  grpcTargetOf,
} from '../connector/fabric-channel-credentials.ts';
import { type Address, formatAddress } from '../identity/address.ts';
import { constant } from '../lifecycle/observable-value.ts';
import { callUnary, type UnaryMethods, type UnaryService } from '../rpc/service.ts';
import { CommandFailure } from './command-failure.ts';
import { explainCallFailure } from './control-problem.ts';
import type { ControlTarget } from './control-target.ts';

/**
 * Calls one method at the first address where a node answers. A node that answers with an error is an answer: the next
 * address is only for one that could not be reached or refused the connection.
 * @throws CommandFailure that says what happened at each address and what to do.
 */
export async function callControl<Methods extends UnaryMethods, Name extends keyof Methods & string>(
  target: ControlTarget,
  service: UnaryService<Methods>,
  method: Name,
  request: Methods[Name]['request'],
): Promise<Methods[Name]['response']> {
  const failures: CommandFailure[] = [];
  for (const address of target.addresses) {
    const attempt = await callAt(address, target, service, method, request);
    if ('response' in attempt) return attempt.response;
    failures.push(attempt.failure);
    if (attempt.answered) break;
  }
  throw joined(failures);
}

type Attempt<Response> =
  | { readonly response: Response }
  | { readonly failure: CommandFailure; readonly answered: boolean };

async function callAt<Methods extends UnaryMethods, Name extends keyof Methods & string>(
  address: Address,
  target: ControlTarget,
  service: UnaryService<Methods>,
  method: Name,
  request: Methods[Name]['request'],
): Promise<Attempt<Methods[Name]['response']>> {
  const { timeoutMs, hasCertificate } = target;
  const token = address.kind === 'unix' ? undefined : target.token;
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  let isConnected = false;
  let dialError: unknown;
  const credentials = new FabricChannelCredentials({
    security: securityOf(address, target),
    timeoutMs,
    listener: {
      connected: () => {
        isConnected = true;
      },
      failed: error => {
        dialError = error;
      },
    },
  });
  const client = new grpc.Client(grpcTargetOf(address), credentials, FABRIC_CHANNEL_OPTIONS);
  try {
    return { response: await callUnary(client, service, method, request, { timeoutMs, metadata }) };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const facts = {
      address,
      method: `${service.name}/${method}`,
      error,
      isConnected,
      dialError,
      hasCertificate,
      hasToken: token !== undefined,
      timeoutMs,
    };
    return { failure: explainCallFailure(facts), answered: isConnected };
  } finally {
    client.close();
  }
}

function securityOf(address: Address, { trust, expectation }: ControlTarget): ChannelSecurity {
  if (address.kind === 'unix') return { kind: 'none', reason: 'unix_socket' };
  if (address.scheme !== 'https') return { kind: 'none', reason: 'mode_plain' };
  if (trust === undefined) throw new TypeError(`no trust for ${formatAddress(address)}`);
  return { kind: 'mutual_tls', trust: constant(trust), minVersion: 'TLSv1.3', expectation };
}

function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

/** With one address its own words; with several what each said, in one line. */
function joined(failures: readonly CommandFailure[]): CommandFailure {
  const last = failures.at(-1);
  if (last !== undefined && failures.length === 1) return last;
  const said = failures.map(({ message }) => message).join(' ');
  return new CommandFailure(`None of ${failures.length} addresses answered as asked. ${said}`, last?.remedy ?? '');
}
