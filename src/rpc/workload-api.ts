import * as grpc from '@grpc/grpc-js';
import { loadProtos, serviceIn } from './service.ts';

/** One SVID of a {@link X509SvidResponse}. Certificates are DER, one after another; the key is PKCS #8 in DER. */
export interface WorkloadSvid {
  readonly spiffeId: string;
  /** Leaf first, then intermediates. */
  readonly x509Svid: Uint8Array;
  readonly x509SvidKey: Uint8Array;
  /** CA certificates of the trust domain of the SVID. */
  readonly bundle: Uint8Array;
}

/** What the Workload API says of its caller, always the whole (SPIFFE Workload API 4.3). Not checked. */
export interface X509SvidResponse {
  /** The first is the default identity. */
  readonly svids: readonly WorkloadSvid[];
  /** In DER, one list each. */
  readonly crl: readonly Uint8Array[];
  /** CA certificates of foreign trust domains by the SPIFFE ID of the trust domain. */
  readonly federatedBundles: Readonly<Record<string, Uint8Array>>;
}

/** How a stream of answers ended. */
export interface SvidStreamEnd {
  readonly code: grpc.status;
  /** The text of the status, from the agent or from grpc-js; not checked. */
  readonly details: string;
}

/** The name of the status, such as `PERMISSION_DENIED`. */
export function statusName({ code }: SvidStreamEnd): string {
  return grpc.status[code] ?? String(code);
}

export interface SvidStreamParts {
  /** The unix socket of the agent. */
  readonly socketPath: string;
  readonly onResponse: (response: X509SvidResponse) => void;
  /** Told once, unless the stream was closed by us. */
  readonly onEnd: (end: SvidStreamEnd) => void;
}

export interface SvidStream {
  /** Ends the call and its connection; nothing is told any more. */
  close(): void;
}

/** `SpiffeWorkloadAPI`, as an agent serves it. */
export const workloadApiDefinition: grpc.ServiceDefinition = serviceIn(
  loadProtos(['spiffe/workload/workload.proto']),
  'SpiffeWorkloadAPI',
);

/** Required on every call, so that a request somebody was tricked into cannot be one (SPIFFE Workload Endpoint 3). */
export const WORKLOAD_METADATA: readonly [string, string] = ['workload.spiffe.io', 'true'];

/** A bundle may hold many CAs, and there is one for each federated trust domain. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;

/**
 * Calls `FetchX509SVID` on a connection of its own and hears answers until the stream ends. Without TLS: the agent is
 * where trust comes from, so there is nothing yet to verify it with, and the Workload API is not served with TLS (SPIFFE
 * Workload Endpoint 3.1). What protects it is the unix socket: who may reach the path, and the kernel's word on who calls.
 * Keeps the process alive until it ends.
 */
export function openSvidStream({ socketPath, onResponse, onEnd }: SvidStreamParts): SvidStream {
  const client = new grpc.Client(`unix:${socketPath}`, grpc.credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // Waits between tries are ours: a pool would remember a failed connection and refuse the next call unheard.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
  });
  const { path, requestSerialize, responseDeserialize } = workloadApiDefinition.FetchX509SVID as grpc.MethodDefinition<
    object,
    X509SvidResponse
  >;
  const metadata = new grpc.Metadata();
  metadata.set(...WORKLOAD_METADATA);
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}, metadata);
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    client.close();
    return true;
  };
  call.on('data', (response: X509SvidResponse) => {
    if (!isOver) onResponse(response);
  });
  // The status says the same, and also how a good end went.
  call.on('error', () => {});
  call.on('status', ({ code, details }) => {
    if (end()) onEnd({ code, details });
  });
  return {
    close: () => {
      if (!end()) return;
      call.cancel();
    },
  };
}
